using System.Buffers.Binary;
using OrleansStream.Storage;
using OrleansStream.Storage.Logs;

namespace OrleansStream.Broker.Partitions;

/// <summary>
/// The bytes of a partition's producers, as they lie in manifests and in the indexes of sealed runs: format version (2 bytes), count (4), then for each
/// producer id (8), epoch (2), time of the last append in Unix milliseconds (8), number of batches (1), and for each batch first and last sequence (4, 4),
/// last offset (8), offset delta (4), timestamp (8). Big-endian; nothing at all means no producers.
/// </summary>
internal static class ProducerSnapshot
{
    private const ushort Version = 1;
    private const int HeadBytes = 6;
    private const int ProducerBytes = 19;
    private const int BatchBytes = 28;

    public static byte[] Write(Dictionary<long, ProducerStates.Producer> producers)
    {
        if (producers.Count == 0)
            return [];
        var bytes = new byte[HeadBytes + producers.Sum(static item => ProducerBytes + (item.Value.Count * BatchBytes))];
        BinaryPrimitives.WriteUInt16BigEndian(bytes, Version);
        BinaryPrimitives.WriteInt32BigEndian(bytes.AsSpan(2), producers.Count);
        var at = HeadBytes;
        foreach (var (id, producer) in producers)
        {
            var into = bytes.AsSpan(at);
            BinaryPrimitives.WriteInt64BigEndian(into, id);
            BinaryPrimitives.WriteInt16BigEndian(into[8..], producer.Epoch);
            BinaryPrimitives.WriteInt64BigEndian(into[10..], producer.LastAppendMs);
            into[18] = (byte)producer.Count;
            at += ProducerBytes;
            for (var i = 0; i < producer.Count; i++, at += BatchBytes)
            {
                var batch = producer[i];
                into = bytes.AsSpan(at);
                BinaryPrimitives.WriteInt32BigEndian(into, batch.FirstSequence);
                BinaryPrimitives.WriteInt32BigEndian(into[4..], batch.LastSequence);
                BinaryPrimitives.WriteInt64BigEndian(into[8..], batch.LastOffset);
                BinaryPrimitives.WriteInt32BigEndian(into[16..], batch.OffsetDelta);
                BinaryPrimitives.WriteInt64BigEndian(into[20..], batch.Timestamp);
            }
        }
        return bytes;
    }

    /// <summary>Throws <see cref="UnsupportedFormatException"/> for a newer version, <see cref="LogCorruptException"/> for bytes that are none of ours.</summary>
    public static void Read(ReadOnlySpan<byte> bytes, Dictionary<long, ProducerStates.Producer> into)
    {
        if (bytes.IsEmpty)
            return;
        if (bytes.Length < HeadBytes)
            throw new LogCorruptException("A producer snapshot is cut off.");
        var version = BinaryPrimitives.ReadUInt16BigEndian(bytes);
        if (version > Version)
            throw UnsupportedFormatException.Newer("a producer snapshot", version, Version);
        var count = BinaryPrimitives.ReadInt32BigEndian(bytes[2..]);
        bytes = bytes[HeadBytes..];
        for (; count > 0; count--)
        {
            if (bytes.Length < ProducerBytes || bytes[18] > ProducerStates.BatchesKept || bytes.Length < ProducerBytes + (bytes[18] * BatchBytes))
                throw new LogCorruptException("A producer snapshot is cut off.");
            var producer = new ProducerStates.Producer(BinaryPrimitives.ReadInt16BigEndian(bytes[8..]))
            {
                LastAppendMs = BinaryPrimitives.ReadInt64BigEndian(bytes[10..]),
            };
            into[BinaryPrimitives.ReadInt64BigEndian(bytes)] = producer;
            var batches = bytes[18];
            bytes = bytes[ProducerBytes..];
            for (; batches > 0; batches--, bytes = bytes[BatchBytes..])
            {
                producer.Add(new AppendedBatch(
                    BinaryPrimitives.ReadInt32BigEndian(bytes), BinaryPrimitives.ReadInt32BigEndian(bytes[4..]), BinaryPrimitives.ReadInt64BigEndian(bytes[8..]),
                    BinaryPrimitives.ReadInt32BigEndian(bytes[16..]), BinaryPrimitives.ReadInt64BigEndian(bytes[20..])));
            }
        }
        if (!bytes.IsEmpty)
            throw new LogCorruptException("A producer snapshot is longer than what it says it holds.");
    }
}
