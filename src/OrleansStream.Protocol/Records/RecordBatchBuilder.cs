using System.Buffers.Binary;
using OrleansStream.Protocol.Compression;
using Layout = OrleansStream.Protocol.Records.RecordBatchLayout;

namespace OrleansStream.Protocol.Records;

/// <summary>
/// Builds one record batch (magic 2): for internal topics, compaction, recompression, tools and tests. Set the properties before
/// <see cref="Build"/>; they may be changed between two calls. Timestamps are milliseconds since 1970 UTC.
/// </summary>
public sealed class RecordBatchBuilder : IDisposable
{
    private readonly PooledBuffer _records = new(int.MaxValue / 2);
    private long _baseTimestamp = Layout.NoTimestamp;
    private long _maxTimestamp = Layout.NoTimestamp;

    public CompressionCodec Codec { get; init; }
    public long BaseOffset { get; init; }
    public int PartitionLeaderEpoch { get; init; } = Layout.None;
    public long ProducerId { get; init; } = Layout.None;
    public short ProducerEpoch { get; init; } = Layout.None;
    public int BaseSequence { get; init; } = Layout.None;
    public bool Transactional { get; init; }
    public bool Control { get; init; }

    /// <summary>When set, every record has this timestamp (LogAppendTime) and those given with the records only tell of their creation.</summary>
    public long? LogAppendTimeMs { get; init; }

    public int Count { get; private set; }

    /// <summary>Offset delta of the last record; compaction may leave gaps before it, and may set it beyond the last that is left.</summary>
    public int LastOffsetDelta { get; set; } = -1;

    /// <summary>Bytes of the batch so far, before compression.</summary>
    public int UncompressedSize => Layout.Records + _records.Length;

    /// <summary>Appends a record at the next offset. A null key or value is given by <c>default(ReadOnlySpan)</c> with the flag false.</summary>
    public void Append(
        long timestampMs, ReadOnlySpan<byte> key, ReadOnlySpan<byte> value, bool hasKey = true, bool hasValue = true,
        IReadOnlyList<KeyValuePair<string, byte[]?>>? headers = null)
    {
        using var encoded = new PooledBuffer(int.MaxValue / 2, 64);
        foreach ((string name, byte[]? content) in headers ?? [])
        {
            WriteBytes(encoded, System.Text.Encoding.UTF8.GetBytes(name), true);
            WriteBytes(encoded, content, content is not null);
        }
        Append(LastOffsetDelta + 1, timestampMs, 0, key, hasKey, value, hasValue, headers?.Count ?? 0, encoded.WrittenSpan);
    }

    /// <summary>Appends a record of another batch as it is, at <paramref name="offsetDelta"/>, which is more than that of the one before.</summary>
    public void Append(in Record record, int offsetDelta) => Append(
        offsetDelta, record.Timestamp, record.Attributes, record.Key, record.HasKey, record.Value, record.HasValue, record.Headers.Count,
        record.Headers.Encoded);

    /// <summary>Appends the marker that ends a transaction; the batch has to be <see cref="Control"/> and <see cref="Transactional"/>.</summary>
    public void AppendEndTransaction(long timestampMs, ControlRecordType type, int coordinatorEpoch)
    {
        if (!Control || !Transactional)
            throw new InvalidOperationException("A transaction's marker goes into a batch that is control and transactional.");
        Span<byte> key = stackalloc byte[ControlRecords.KeySize];
        Span<byte> value = stackalloc byte[ControlRecords.ValueSize];
        ControlRecords.WriteKey(key, type);
        ControlRecords.WriteValue(value, coordinatorEpoch);
        Append(timestampMs, key, value);
    }

    /// <summary>The batch, complete with its checksum.</summary>
    public byte[] Build()
    {
        using var buffer = new PooledBuffer(int.MaxValue / 2, UncompressedSize);
        WriteTo(buffer);
        return buffer.WrittenSpan.ToArray();
    }

    /// <summary>Writes the batch, complete with its checksum, behind what <paramref name="destination"/> holds.</summary>
    public void WriteTo(PooledBuffer destination)
    {
        int start = destination.Length;
        destination.Reserve(Layout.Records);
        destination.Advance(Layout.Records);
        Codecs.Compress(Codec, _records.WrittenSpan, destination);

        Span<byte> batch = destination.Written[start..];
        int attributes = (int)Codec | (LogAppendTimeMs is null ? 0 : Layout.LogAppendTimeBit)
            | (Transactional ? Layout.TransactionalBit : 0) | (Control ? Layout.ControlBit : 0);
        BinaryPrimitives.WriteInt64BigEndian(batch[Layout.BaseOffset..], BaseOffset);
        BinaryPrimitives.WriteInt32BigEndian(batch[Layout.BatchLength..], batch.Length - Layout.LengthOverhead);
        BinaryPrimitives.WriteInt32BigEndian(batch[Layout.PartitionLeaderEpoch..], PartitionLeaderEpoch);
        batch[Layout.Magic] = Layout.CurrentMagic;
        BinaryPrimitives.WriteInt16BigEndian(batch[Layout.Attributes..], (short)attributes);
        BinaryPrimitives.WriteInt32BigEndian(batch[Layout.LastOffsetDelta..], LastOffsetDelta);
        BinaryPrimitives.WriteInt64BigEndian(batch[Layout.BaseTimestamp..], _baseTimestamp);
        BinaryPrimitives.WriteInt64BigEndian(batch[Layout.MaxTimestamp..], LogAppendTimeMs ?? _maxTimestamp);
        BinaryPrimitives.WriteInt64BigEndian(batch[Layout.ProducerId..], ProducerId);
        BinaryPrimitives.WriteInt16BigEndian(batch[Layout.ProducerEpoch..], ProducerEpoch);
        BinaryPrimitives.WriteInt32BigEndian(batch[Layout.BaseSequence..], BaseSequence);
        BinaryPrimitives.WriteInt32BigEndian(batch[Layout.RecordCount..], Count);
        RecordBatchPatch.WriteCrc(batch);
    }

    public void Dispose() => _records.Dispose();

    private void Append(
        int offsetDelta, long timestampMs, byte attributes, ReadOnlySpan<byte> key, bool hasKey, ReadOnlySpan<byte> value, bool hasValue,
        int headerCount, ReadOnlySpan<byte> headers)
    {
        ArgumentOutOfRangeException.ThrowIfLessThanOrEqual(offsetDelta, LastOffsetDelta);
        if (Count == 0)
            _baseTimestamp = timestampMs;
        long timestampDelta = timestampMs - _baseTimestamp;
        int length = 1 + Varint.Size(timestampDelta) + Varint.Size(offsetDelta) + BytesSize(key, hasKey) + BytesSize(value, hasValue)
            + Varint.Size(headerCount) + headers.Length;

        WriteVarint(_records, length);
        _records.WriteByte(attributes);
        WriteVarint(_records, timestampDelta);
        WriteVarint(_records, offsetDelta);
        WriteBytes(_records, key, hasKey);
        WriteBytes(_records, value, hasValue);
        WriteVarint(_records, headerCount);
        _records.Write(headers);

        Count++;
        LastOffsetDelta = offsetDelta;
        _maxTimestamp = Math.Max(_maxTimestamp, timestampMs);
    }

    private static int BytesSize(ReadOnlySpan<byte> bytes, bool present) => present ? Varint.Size(bytes.Length) + bytes.Length : Varint.Size(-1);

    private static void WriteBytes(PooledBuffer destination, ReadOnlySpan<byte> bytes, bool present)
    {
        WriteVarint(destination, present ? bytes.Length : -1);
        if (present)
            destination.Write(bytes);
    }

    private static void WriteVarint(PooledBuffer destination, long value) =>
        destination.Advance(Varint.Write(destination.Reserve(Varint.MaxLongBytes), value));
}
