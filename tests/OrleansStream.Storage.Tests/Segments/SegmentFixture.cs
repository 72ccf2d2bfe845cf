using System.Buffers;
using System.Buffers.Binary;
using OrleansStream.Protocol.Records;
using OrleansStream.Storage.Segments;
using OrleansStream.TestSupport;

namespace OrleansStream.Storage.Tests.Segments;

/// <summary>A store, a cache over it, and batches with a payload that says where they belong.</summary>
internal sealed class SegmentFixture : IDisposable
{
    public static readonly Guid Incarnation = new("11112222-3333-4444-5555-666677778888");

    public SegmentFixture(ReadCacheOptions? options = null)
    {
        Cache = new ReadCache(Store, Chunks, Ports.Runtime, options ?? new ReadCacheOptions());
        Reader = new SegmentReader(Cache);
    }

    public TestPorts Ports { get; } = new();
    public MemoryObjectStore Store { get; } = new();
    public ArrayChunkSource Chunks { get; } = new();
    public ReadCache Cache { get; }
    public SegmentReader Reader { get; }

    public static PartitionId Partition(int index = 0) => new(new Guid("aaaaaaaa-0000-0000-0000-000000000001"), index);

    /// <summary>One batch: <paramref name="records"/> offsets, <paramref name="size"/> bytes in all, each behind the header telling the base offset.</summary>
    public static byte[] Batch(long baseOffset, int records = 1, int size = 100, int leaderEpoch = 1, long timestamp = 1000)
    {
        var bytes = new byte[size];
        BinaryPrimitives.WriteInt64BigEndian(bytes, baseOffset);
        BinaryPrimitives.WriteInt32BigEndian(bytes.AsSpan(8), size - 12);
        BinaryPrimitives.WriteInt32BigEndian(bytes.AsSpan(12), leaderEpoch);
        bytes[16] = 2;
        BinaryPrimitives.WriteInt32BigEndian(bytes.AsSpan(23), records - 1);
        BinaryPrimitives.WriteInt64BigEndian(bytes.AsSpan(27), timestamp);
        BinaryPrimitives.WriteInt64BigEndian(bytes.AsSpan(35), timestamp);
        BinaryPrimitives.WriteInt32BigEndian(bytes.AsSpan(57), records);
        for (var i = 61; i < size; i++)
            bytes[i] = (byte)(baseOffset + i);
        RecordBatchPatch.WriteCrc(bytes);
        return bytes;
    }

    /// <summary>Strings the batches together, cut into pieces of <paramref name="piece"/> bytes to make a sequence of many segments.</summary>
    public static ReadOnlySequence<byte> Sequence(IEnumerable<byte[]> batches, int piece = int.MaxValue)
    {
        var all = batches.SelectMany(b => b).ToArray();
        var builder = new SequenceBuilder();
        for (var at = 0; at < all.Length; at += Math.Min(piece, all.Length - at))
            builder.Add(all.AsMemory(at, Math.Min(piece, all.Length - at)));
        return builder.Build();
    }

    public async Task<SealedRun> SealAsync(IEnumerable<byte[]> batches, int piece = int.MaxValue, byte[]? snapshot = null)
    {
        var run = new RunToSeal(Partition(), 7, Sequence(batches, piece), snapshot ?? []);
        var name = SegmentNames.ForPartition(Partition(), 0, 7, Ports.Random);
        var made = SealedSegmentWriter.Build(name, Incarnation, [run]);
        await Store.CreateAsync(name, made.Content, default);
        return made.Runs[0];
    }

    /// <summary>Base offset and size of each batch of a read.</summary>
    public static List<(long BaseOffset, int Size)> Batches(ReadOnlySequence<byte> bytes)
    {
        var all = bytes.ToArray();
        List<(long, int)> found = [];
        for (var at = 0; at < all.Length;)
        {
            var size = BinaryPrimitives.ReadInt32BigEndian(all.AsSpan(at + 8)) + 12;
            found.Add((BinaryPrimitives.ReadInt64BigEndian(all.AsSpan(at)), size));
            at += size;
        }
        return found;
    }

    public void Dispose() => Cache.Dispose();
}
