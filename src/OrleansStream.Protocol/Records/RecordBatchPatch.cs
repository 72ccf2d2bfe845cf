using System.Buffers.Binary;
using Layout = OrleansStream.Protocol.Records.RecordBatchLayout;

namespace OrleansStream.Protocol.Records;

/// <summary>What a broker changes in a batch that it was given. Each span begins at the batch's first byte.</summary>
public static class RecordBatchPatch
{
    /// <summary>Assigns offset and leader epoch. Both lie before the checksum's range; the header's 61 bytes are enough.</summary>
    public static void AssignOffset(Span<byte> batch, long baseOffset, int leaderEpoch)
    {
        BinaryPrimitives.WriteInt64BigEndian(batch[Layout.BaseOffset..], baseOffset);
        BinaryPrimitives.WriteInt32BigEndian(batch[Layout.PartitionLeaderEpoch..], leaderEpoch);
    }

    /// <summary>
    /// Gives all records the broker's time (message.timestamp.type=LogAppendTime): the attribute bit and the maximum timestamp, which readers then
    /// use for every record. Needs the whole batch, since the checksum is computed again.
    /// </summary>
    public static void SetLogAppendTime(Span<byte> batch, long timestampMs) => SetMaxTimestamp(batch, timestampMs, logAppendTime: true);

    /// <summary>
    /// Sets the maximum timestamp (milliseconds) and the timestamp type, and computes the checksum again where that changed anything.
    /// Needs the whole batch.
    /// </summary>
    public static void SetMaxTimestamp(Span<byte> batch, long maxTimestampMs, bool logAppendTime)
    {
        short attributes = BinaryPrimitives.ReadInt16BigEndian(batch[Layout.Attributes..]);
        short wanted = (short)(logAppendTime ? attributes | Layout.LogAppendTimeBit : attributes & ~Layout.LogAppendTimeBit);
        if (wanted == attributes && BinaryPrimitives.ReadInt64BigEndian(batch[Layout.MaxTimestamp..]) == maxTimestampMs)
            return;
        BinaryPrimitives.WriteInt16BigEndian(batch[Layout.Attributes..], wanted);
        BinaryPrimitives.WriteInt64BigEndian(batch[Layout.MaxTimestamp..], maxTimestampMs);
        WriteCrc(batch);
    }

    /// <summary>Computes the checksum of a whole batch and writes it into its header.</summary>
    public static void WriteCrc(Span<byte> batch)
    {
        int size = RecordBatchHeader.ReadSize(batch);
        BinaryPrimitives.WriteUInt32BigEndian(batch[Layout.Crc..], Crc32C.Compute(batch[Layout.Attributes..size]));
    }
}
