using System.Buffers.Binary;
using OrleansStream.Protocol.Records;
using Layout = OrleansStream.Protocol.Records.RecordBatchLayout;

namespace OrleansStream.Protocol.Tests.Records;

/// <summary>Batches byte by byte, lies included, with a true checksum unless told otherwise. By default two records of one byte key and value.</summary>
internal sealed class RawBatch
{
    public const long Now = 1_700_000_000_000;

    public byte[] Body { get; init; } = [.. Record(0), .. Record(1)];
    public int Count { get; init; } = 2;
    public int? LastOffsetDelta { get; init; }
    public short Attributes { get; init; }
    public long BaseOffset { get; init; }
    public sbyte Magic { get; init; } = 2;
    public long BaseTimestamp { get; init; } = Now;
    public long? MaxTimestamp { get; init; }
    public long ProducerId { get; init; } = -1;
    public short ProducerEpoch { get; init; } = -1;
    public int BaseSequence { get; init; } = -1;
    public int? BatchLength { get; init; }
    public int LengthOffBy { get; init; }
    public uint CrcFlip { get; init; }

    public byte[] Bytes()
    {
        var batch = new byte[Layout.Records + Body.Length];
        BinaryPrimitives.WriteInt64BigEndian(batch, BaseOffset);
        BinaryPrimitives.WriteInt32BigEndian(batch.AsSpan(Layout.BatchLength), BatchLength ?? batch.Length - 12 + LengthOffBy);
        BinaryPrimitives.WriteInt32BigEndian(batch.AsSpan(Layout.PartitionLeaderEpoch), -1);
        batch[Layout.Magic] = (byte)Magic;
        BinaryPrimitives.WriteInt16BigEndian(batch.AsSpan(Layout.Attributes), Attributes);
        BinaryPrimitives.WriteInt32BigEndian(batch.AsSpan(Layout.LastOffsetDelta), LastOffsetDelta ?? Count - 1);
        BinaryPrimitives.WriteInt64BigEndian(batch.AsSpan(Layout.BaseTimestamp), BaseTimestamp);
        BinaryPrimitives.WriteInt64BigEndian(batch.AsSpan(Layout.MaxTimestamp), MaxTimestamp ?? BaseTimestamp);
        BinaryPrimitives.WriteInt64BigEndian(batch.AsSpan(Layout.ProducerId), ProducerId);
        BinaryPrimitives.WriteInt16BigEndian(batch.AsSpan(Layout.ProducerEpoch), ProducerEpoch);
        BinaryPrimitives.WriteInt32BigEndian(batch.AsSpan(Layout.BaseSequence), BaseSequence);
        BinaryPrimitives.WriteInt32BigEndian(batch.AsSpan(Layout.RecordCount), Count);
        Body.CopyTo(batch.AsSpan(Layout.Records));
        BinaryPrimitives.WriteUInt32BigEndian(batch.AsSpan(Layout.Crc), Crc32C.Compute(batch.AsSpan(Layout.Attributes)) ^ CrcFlip);
        return batch;
    }

    /// <summary>A record; <paramref name="lengthOffBy"/> and <paramref name="headerCount"/> make it lie. Key "" is null.</summary>
    public static byte[] Record(
        int offsetDelta, string? key = "k", int valueLength = 1, byte attributes = 0, long timestampDelta = 0, byte[]? headers = null,
        int headerCount = 0, byte[]? tail = null, int lengthOffBy = 0)
    {
        List<byte> record = [attributes, .. Vint(timestampDelta), .. Vint(offsetDelta)];
        record.AddRange(key is null ? Vint(-1) : [.. Vint(key.Length), .. System.Text.Encoding.ASCII.GetBytes(key)]);
        record.AddRange([.. Vint(valueLength), .. Enumerable.Repeat((byte)'v', valueLength)]);
        record.AddRange([.. Vint(headerCount), .. headers ?? [], .. tail ?? []]);
        return [.. Vint(record.Count + lengthOffBy), .. record];
    }

    public static byte[] Vint(long value)
    {
        var bytes = new byte[Varint.MaxLongBytes];
        return bytes[..Varint.Write(bytes, value)];
    }

    public static byte[] Gzip(params byte[][] records)
    {
        using var output = new MemoryStream();
        using (var gzip = new System.IO.Compression.GZipStream(output, System.IO.Compression.CompressionLevel.Fastest))
            gzip.Write([.. records.SelectMany(r => r)]);
        return output.ToArray();
    }
}
