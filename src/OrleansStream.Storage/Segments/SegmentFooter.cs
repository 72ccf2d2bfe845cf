using System.Buffers.Binary;
using OrleansStream.Protocol.Records;
using OrleansStream.Storage.Ports;

namespace OrleansStream.Storage.Segments;

/// <summary>Codes and reads the messages in the footer of a sealed object: the index of each run, and the directory of all.</summary>
internal static class SegmentFooter
{
    private const int ChunkBytes = 28;

    public static byte[] EncodeIndex(SegmentIndex index)
    {
        using var stream = new MemoryStream();
        using var w = new BinaryWriter(stream);
        w.Write(SegmentFormat.Version);
        WriteRun(w, index.Partition, index.LeaderEpoch, index.BaseOffset, index.LastOffset, index.Position, index.Length, index.Crc,
            index.FirstTimestamp, index.MaxTimestamp);
        var chunks = EncodeChunks(index);
        w.Write(chunks.Length);
        w.Write(chunks);
        w.Write(index.Epochs.Count);
        foreach (var epoch in index.Epochs)
        {
            w.Write(epoch.LeaderEpoch);
            w.Write(epoch.StartOffset);
        }
        w.Write(index.ProducerSnapshot.Length);
        w.Write(index.ProducerSnapshot.Span);
        return Seal(stream);
    }

    public static byte[] EncodeDirectory(IReadOnlyList<SealedRun> runs)
    {
        using var stream = new MemoryStream();
        using var w = new BinaryWriter(stream);
        w.Write(SegmentFormat.Version);
        w.Write(runs.Count);
        foreach (var run in runs)
        {
            WriteRun(w, run.Partition, run.LeaderEpoch, run.BaseOffset, run.LastOffset, run.Position, run.Length, run.Crc,
                run.FirstTimestamp, run.MaxTimestamp);
            w.Write(run.IndexPosition);
            w.Write(run.IndexLength);
        }
        return Seal(stream);
    }

    /// <summary>Fetches and checks a run's index, and that it is the one that the manifest means.</summary>
    public static async ValueTask<SegmentIndex> ReadIndexAsync(IObjectStore store, SealedRun run, CancellationToken cancel)
    {
        var bytes = await FetchAsync(store, run.ObjectName, run.IndexPosition, run.IndexLength, cancel);
        var message = SegmentFormat.Unseal(bytes, $"the index of {run.Partition}", run.ObjectName, run.IndexPosition);
        var index = DecodeIndex(message, run.ObjectName);
        if (index.Partition != run.Partition || index.BaseOffset != run.BaseOffset || index.LastOffset != run.LastOffset
            || index.Position != run.Position || index.Length != run.Length || index.Crc != run.Crc
            || SegmentIndexBuilder.ChecksumOfChunks(index.Chunks) != run.Crc)
            throw new SegmentCorruptException($"the index at byte {run.IndexPosition} of '{run.ObjectName}' is not that of the run that the manifest names: {run}");
        return index;
    }

    public static IReadOnlyList<SealedRun> DecodeDirectory(ReadOnlyMemory<byte> message, string name, long objectLength)
    {
        using var r = new BinaryReader(new MemoryStream(message.ToArray()));
        SegmentFormat.CheckVersion(r.ReadInt16(), name);
        var runs = new SealedRun[r.ReadInt32()];
        for (var i = 0; i < runs.Length; i++)
        {
            var run = ReadRun(r);
            runs[i] = new SealedRun(
                name, objectLength, run.Partition, run.LeaderEpoch, run.BaseOffset, run.LastOffset, run.Position, run.Length, run.Crc,
                run.FirstTimestamp, run.MaxTimestamp, r.ReadInt64(), r.ReadInt32());
        }
        return runs;
    }

    public static async ValueTask<byte[]> FetchAsync(IObjectStore store, string name, long position, int length, CancellationToken cancel)
    {
        var bytes = new byte[length];
        var read = await store.ReadRangeAsync(name, position, bytes, cancel);
        return read == length ? bytes : throw new SegmentCorruptException($"'{name}' ends at byte {position + read}, {position + length} are due");
    }

    private static SegmentIndex DecodeIndex(ReadOnlyMemory<byte> message, string name)
    {
        using var r = new BinaryReader(new MemoryStream(message.ToArray()));
        SegmentFormat.CheckVersion(r.ReadInt16(), name);
        var run = ReadRun(r);
        var chunks = DecodeChunks(r.ReadBytes(r.ReadInt32()), run.BaseOffset);
        var epochs = new EpochStart[r.ReadInt32()];
        for (var i = 0; i < epochs.Length; i++)
            epochs[i] = new EpochStart(r.ReadInt32(), r.ReadInt64());
        return new SegmentIndex
        {
            Partition = run.Partition,
            LeaderEpoch = run.LeaderEpoch,
            BaseOffset = run.BaseOffset,
            LastOffset = run.LastOffset,
            Position = run.Position,
            Length = run.Length,
            Crc = run.Crc,
            FirstTimestamp = run.FirstTimestamp,
            MaxTimestamp = run.MaxTimestamp,
            Chunks = chunks,
            Epochs = epochs,
            ProducerSnapshot = r.ReadBytes(r.ReadInt32()),
        };
    }

    private static byte[] EncodeChunks(SegmentIndex index)
    {
        var bytes = new byte[index.Chunks.Count * ChunkBytes];
        var at = bytes.AsSpan();
        foreach (var chunk in index.Chunks)
        {
            BinaryPrimitives.WriteInt64BigEndian(at, chunk.BaseOffset - index.BaseOffset);
            BinaryPrimitives.WriteInt64BigEndian(at[8..], chunk.Position);
            BinaryPrimitives.WriteInt64BigEndian(at[16..], chunk.MaxTimestamp);
            BinaryPrimitives.WriteUInt32BigEndian(at[24..], chunk.Crc);
            at = at[ChunkBytes..];
        }
        return bytes;
    }

    private static SegmentChunk[] DecodeChunks(ReadOnlySpan<byte> bytes, long baseOffset)
    {
        var chunks = new SegmentChunk[bytes.Length / ChunkBytes];
        for (var i = 0; i < chunks.Length; i++)
        {
            var at = bytes[(i * ChunkBytes)..];
            chunks[i] = new SegmentChunk(
                baseOffset + BinaryPrimitives.ReadInt64BigEndian(at), BinaryPrimitives.ReadInt64BigEndian(at[8..]),
                BinaryPrimitives.ReadInt64BigEndian(at[16..]), BinaryPrimitives.ReadUInt32BigEndian(at[24..]));
        }
        return chunks;
    }

    private static void WriteRun(
        BinaryWriter w, PartitionId partition, int leaderEpoch, long baseOffset, long lastOffset, long position, long length, uint crc,
        long firstTimestamp, long maxTimestamp)
    {
        w.Write(partition.TopicId.ToByteArray());
        w.Write(partition.Index);
        w.Write(leaderEpoch);
        w.Write(baseOffset);
        w.Write(lastOffset);
        w.Write(position);
        w.Write(length);
        w.Write(crc);
        w.Write(firstTimestamp);
        w.Write(maxTimestamp);
    }

    private static SealedRun ReadRun(BinaryReader r) => new(
        "", 0, new PartitionId(new Guid(r.ReadBytes(16)), r.ReadInt32()), r.ReadInt32(), r.ReadInt64(), r.ReadInt64(), r.ReadInt64(),
        r.ReadInt64(), r.ReadUInt32(), r.ReadInt64(), r.ReadInt64(), 0, 0);

    private static byte[] Seal(MemoryStream stream)
    {
        Span<byte> crc = stackalloc byte[4];
        BinaryPrimitives.WriteUInt32BigEndian(crc, Crc32C.Compute(stream.GetBuffer().AsSpan(0, (int)stream.Length)));
        stream.Write(crc);
        return stream.ToArray();
    }
}
