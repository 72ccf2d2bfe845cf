using System.Buffers;
using System.Buffers.Binary;
using OrleansStream.Protocol;
using OrleansStream.Protocol.Records;
using OrleansStream.Storage.Ports;

namespace OrleansStream.Storage.Segments;

/// <summary>
/// Codes and reads the messages in the footer of a sealed object (SegmentFooter.schema): a version, int16, the message, then the CRC32C of both.
/// Later versions of the program add tagged fields, which earlier ones skip.
/// </summary>
internal static class SegmentFooter
{
    private const int ChunkBytes = 28;

    public static byte[] EncodeIndex(SegmentIndex index)
    {
        var data = new SegmentIndexData
        {
            TopicId = index.Partition.TopicId,
            PartitionIndex = index.Partition.Index,
            LeaderEpoch = index.LeaderEpoch,
            BaseOffset = index.BaseOffset,
            LastOffset = index.LastOffset,
            Position = index.Position,
            Length = index.Length,
            Checksum = index.Crc,
            FirstTimestamp = index.FirstTimestamp,
            MaxTimestamp = index.MaxTimestamp,
            Chunks = EncodeChunks(index),
            ProducerSnapshot = index.ProducerSnapshot.ToArray(),
        };
        foreach (var epoch in index.Epochs)
            data.Epochs.Add(new SegmentIndexData.EpochData { LeaderEpoch = epoch.LeaderEpoch, StartOffset = epoch.StartOffset });
        return Encode(data, SegmentIndexData.HighestVersion);
    }

    public static byte[] EncodeDirectory(IReadOnlyList<SealedRun> runs)
    {
        var data = new SegmentDirectoryData();
        foreach (var run in runs)
        {
            data.Runs.Add(new SegmentDirectoryData.RunData
            {
                TopicId = run.Partition.TopicId,
                PartitionIndex = run.Partition.Index,
                LeaderEpoch = run.LeaderEpoch,
                BaseOffset = run.BaseOffset,
                LastOffset = run.LastOffset,
                Position = run.Position,
                Length = run.Length,
                Checksum = run.Crc,
                FirstTimestamp = run.FirstTimestamp,
                MaxTimestamp = run.MaxTimestamp,
                IndexPosition = run.IndexPosition,
                IndexLength = run.IndexLength,
            });
        }
        return Encode(data, SegmentDirectoryData.HighestVersion);
    }

    /// <summary>Fetches and checks a run's index, and that it is the one that the manifest means.</summary>
    public static async ValueTask<SegmentIndex> ReadIndexAsync(IObjectStore store, SealedRun run, CancellationToken cancel)
    {
        var bytes = await FetchAsync(store, run.ObjectName, run.IndexPosition, run.IndexLength, cancel);
        var index = DecodeIndex(Decode<SegmentIndexData>(bytes, $"the index of {run.Partition}", run.ObjectName, run.IndexPosition));
        if (index.Partition != run.Partition || index.BaseOffset != run.BaseOffset || index.LastOffset != run.LastOffset
            || index.Position != run.Position || index.Length != run.Length || index.Crc != run.Crc
            || SegmentIndexBuilder.ChecksumOfChunks(index.Chunks) != run.Crc)
            throw new SegmentCorruptException($"the index at byte {run.IndexPosition} of '{run.ObjectName}' is not that of the run that the manifest names: {run}");
        return index;
    }

    public static IReadOnlyList<SealedRun> DecodeDirectory(byte[] bytes, string name, long position, long objectLength) =>
        [.. Decode<SegmentDirectoryData>(bytes, "the directory", name, position).Runs.Select(run => new SealedRun(
            name, objectLength, new PartitionId(run.TopicId, run.PartitionIndex), run.LeaderEpoch, run.BaseOffset, run.LastOffset, run.Position,
            run.Length, run.Checksum, run.FirstTimestamp, run.MaxTimestamp, run.IndexPosition, run.IndexLength))];

    public static async ValueTask<byte[]> FetchAsync(IObjectStore store, string name, long position, int length, CancellationToken cancel)
    {
        var bytes = new byte[length];
        var read = await store.ReadRangeAsync(name, position, bytes, cancel);
        return read == length ? bytes : throw new SegmentCorruptException($"'{name}' ends at byte {position + read}, {position + length} are due");
    }

    private static SegmentIndex DecodeIndex(SegmentIndexData data) => new()
    {
        Partition = new PartitionId(data.TopicId, data.PartitionIndex),
        LeaderEpoch = data.LeaderEpoch,
        BaseOffset = data.BaseOffset,
        LastOffset = data.LastOffset,
        Position = data.Position,
        Length = data.Length,
        Crc = data.Checksum,
        FirstTimestamp = data.FirstTimestamp,
        MaxTimestamp = data.MaxTimestamp,
        Chunks = DecodeChunks(data.Chunks, data.BaseOffset),
        Epochs = [.. data.Epochs.Select(e => new EpochStart(e.LeaderEpoch, e.StartOffset))],
        ProducerSnapshot = data.ProducerSnapshot,
    };

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

    private static byte[] Encode(IMessage message, short version)
    {
        using var w = new KafkaWriter();
        w.WriteInt16(version);
        message.Write(w, version);
        var bytes = new ArrayBufferWriter<byte>(w.Length + sizeof(uint));
        w.CopyTo(bytes);
        BinaryPrimitives.WriteUInt32BigEndian(bytes.GetSpan(sizeof(uint)), Crc32C.Compute(bytes.WrittenSpan));
        bytes.Advance(sizeof(uint));
        return bytes.WrittenSpan.ToArray();
    }

    private static T Decode<T>(byte[] bytes, string what, string name, long position)
        where T : IMessage<T>
    {
        var length = bytes.Length - sizeof(uint);
        if (length < sizeof(short) || Crc32C.Compute(bytes.AsSpan(0, length)) != BinaryPrimitives.ReadUInt32BigEndian(bytes.AsSpan(length)))
            throw new SegmentCorruptException($"{what} of '{name}' at byte {position}, {bytes.Length} bytes, does not match its checksum");
        var r = new KafkaReader(bytes.AsMemory(0, length));
        var version = r.ReadInt16();
        if (version < T.Info.LowestVersion)
            throw new SegmentCorruptException($"{what} of '{name}' has format version {version}, which never was");
        if (version > T.Info.HighestVersion)
            throw UnsupportedFormatException.Newer($"{what} of '{name}'", version, T.Info.HighestVersion);
        try
        {
            var message = T.Read(ref r, version);
            r.ExpectEnd();
            return message;
        }
        catch (ProtocolException error)
        {
            throw new SegmentCorruptException($"{what} of '{name}' at byte {position} is not coded as it should be: {error.Message}", error);
        }
    }
}
