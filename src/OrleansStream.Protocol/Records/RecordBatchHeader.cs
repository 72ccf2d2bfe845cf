using System.Buffers;
using System.Buffers.Binary;
using OrleansStream.Protocol.Compression;
using Layout = OrleansStream.Protocol.Records.RecordBatchLayout;

namespace OrleansStream.Protocol.Records;

/// <summary>
/// The first 61 bytes of a record batch (magic 2), as they stand: reading checks nothing. Timestamps are milliseconds since 1970 UTC.
/// </summary>
public readonly struct RecordBatchHeader
{
    /// <summary>Bytes that a header takes.</summary>
    public const int Size = Layout.Records;

    public long BaseOffset { get; private init; }

    /// <summary>Bytes behind the length field. <see cref="SizeInBytes"/> is the whole batch.</summary>
    public int BatchLength { get; private init; }
    public int PartitionLeaderEpoch { get; private init; }
    public byte Magic { get; private init; }
    public uint Crc { get; private init; }
    public short Attributes { get; private init; }
    public int LastOffsetDelta { get; private init; }
    public long BaseTimestamp { get; private init; }
    public long MaxTimestamp { get; private init; }

    /// <summary>-1 where the producer is neither idempotent nor transactional.</summary>
    public long ProducerId { get; private init; }
    public short ProducerEpoch { get; private init; }
    public int BaseSequence { get; private init; }
    public int RecordCount { get; private init; }

    public CompressionCodec Codec => (CompressionCodec)(Attributes & Layout.CodecMask);
    public bool IsLogAppendTime => (Attributes & Layout.LogAppendTimeBit) != 0;
    public bool IsTransactional => (Attributes & Layout.TransactionalBit) != 0;
    public bool IsControl => (Attributes & Layout.ControlBit) != 0;
    public bool HasDeleteHorizon => (Attributes & Layout.DeleteHorizonBit) != 0;
    public bool HasProducerId => ProducerId > Layout.None;

    /// <summary>Bytes of the whole batch. Wider than int, because a batch that lies may claim anything.</summary>
    public long SizeInBytes => (long)BatchLength + Layout.LengthOverhead;

    /// <summary>Offset of the last record.</summary>
    public long LastOffset => BaseOffset + LastOffsetDelta;
    public long NextOffset => LastOffset + 1;

    /// <summary>Sequence number of the last record; they wrap from 2^31 - 1 to 0.</summary>
    public int LastSequence => BaseSequence < 0 ? Layout.None : AddSequence(BaseSequence, LastOffsetDelta);

    /// <summary>A producer's sequence number <paramref name="increment"/> records further on, wrapping to 0 behind 2^31 - 1.</summary>
    public static int AddSequence(int sequence, int increment) => (int)(((long)sequence + increment) & int.MaxValue);

    /// <summary>Reads a header. Throws <see cref="ArgumentException"/> where fewer than <see cref="Size"/> bytes are given.</summary>
    public static RecordBatchHeader Read(ReadOnlySpan<byte> batch)
    {
        if (batch.Length < Size)
            throw new ArgumentException("A record batch header has 61 bytes.", nameof(batch));
        return new RecordBatchHeader
        {
            BaseOffset = BinaryPrimitives.ReadInt64BigEndian(batch[Layout.BaseOffset..]),
            BatchLength = BinaryPrimitives.ReadInt32BigEndian(batch[Layout.BatchLength..]),
            PartitionLeaderEpoch = BinaryPrimitives.ReadInt32BigEndian(batch[Layout.PartitionLeaderEpoch..]),
            Magic = batch[Layout.Magic],
            Crc = BinaryPrimitives.ReadUInt32BigEndian(batch[Layout.Crc..]),
            Attributes = BinaryPrimitives.ReadInt16BigEndian(batch[Layout.Attributes..]),
            LastOffsetDelta = BinaryPrimitives.ReadInt32BigEndian(batch[Layout.LastOffsetDelta..]),
            BaseTimestamp = BinaryPrimitives.ReadInt64BigEndian(batch[Layout.BaseTimestamp..]),
            MaxTimestamp = BinaryPrimitives.ReadInt64BigEndian(batch[Layout.MaxTimestamp..]),
            ProducerId = BinaryPrimitives.ReadInt64BigEndian(batch[Layout.ProducerId..]),
            ProducerEpoch = BinaryPrimitives.ReadInt16BigEndian(batch[Layout.ProducerEpoch..]),
            BaseSequence = BinaryPrimitives.ReadInt32BigEndian(batch[Layout.BaseSequence..]),
            RecordCount = BinaryPrimitives.ReadInt32BigEndian(batch[Layout.RecordCount..]),
        };
    }

    /// <summary>Reads a header at the start of <paramref name="batch"/>; false where fewer than <see cref="Size"/> bytes are there.</summary>
    public static bool TryRead(in ReadOnlySequence<byte> batch, out RecordBatchHeader header)
    {
        if (batch.FirstSpan.Length >= Size)
        {
            header = Read(batch.FirstSpan);
            return true;
        }
        if (batch.Length < Size)
        {
            header = default;
            return false;
        }
        Span<byte> copy = stackalloc byte[Size];
        batch.Slice(0, Size).CopyTo(copy);
        header = Read(copy);
        return true;
    }

    /// <summary>
    /// Whole size in bytes of the batch at the start of <paramref name="log"/>, from its length field; needs its first 12 bytes. For walking
    /// batches that have been validated before.
    /// </summary>
    public static int ReadSize(ReadOnlySpan<byte> log) => BinaryPrimitives.ReadInt32BigEndian(log[Layout.BatchLength..]) + Layout.LengthOverhead;
}
