using System.Buffers;
using System.Buffers.Binary;
using System.Numerics;
using OrleansStream.Protocol.Records;

namespace OrleansStream.Storage.Segments;

/// <summary>Walks the batches of one run and makes its index.</summary>
internal static class SegmentIndexBuilder
{
    /// <summary>Chunks are no smaller than this (except the last), so that an index stays a small part of its run.</summary>
    public const int MinChunkBytes = 64 << 10;

    /// <summary>Chunks grow with the run up to this: a chunk is read and checked as a whole.</summary>
    public const int MaxChunkBytes = 1 << 20;

    /// <summary>About this many chunks in a run, hence some 25 KB of index.</summary>
    private const int ChunksWanted = 1024;

    public static SegmentIndex Build(RunToSeal run, long position)
    {
        var chunkBytes = ChunkBytes(run.Batches.Length);
        List<SegmentChunk> chunks = [];
        List<EpochStart> epochs = [];
        var rest = run.Batches;
        var chunkCrc = 0u;
        long baseOffset = -1, nextOffset = -1, firstTimestamp = -1, maxTimestamp = -1, chunkBase = -1, chunkLength = 0, at = 0;
        while (!rest.IsEmpty)
        {
            if (!BatchScan.TryRead(rest, out var batch))
                throw new ArgumentException($"run of {run.Partition} is no whole record batch at byte {at}", nameof(run));
            if (nextOffset >= 0 && batch.BaseOffset != nextOffset)
                throw new ArgumentException($"run of {run.Partition} goes on at offset {batch.BaseOffset} where {nextOffset} is due", nameof(run));
            if (nextOffset < 0)
                (baseOffset, firstTimestamp) = (batch.BaseOffset, batch.BaseTimestamp);
            if (chunkLength == 0)
                (chunkCrc, chunkBase) = (0, batch.BaseOffset);
            if (epochs.Count == 0 || epochs[^1].LeaderEpoch != batch.PartitionLeaderEpoch)
                epochs.Add(NextEpoch(run, epochs, batch));
            nextOffset = batch.LastOffset + 1;
            maxTimestamp = Math.Max(maxTimestamp, batch.MaxTimestamp);
            chunkCrc = BatchChecksums.Append(chunkCrc, rest.Slice(0, batch.SizeInBytes), batch);
            chunkLength += batch.SizeInBytes;
            at += batch.SizeInBytes;
            rest = rest.Slice(batch.SizeInBytes);
            if (chunkLength < chunkBytes && !rest.IsEmpty)
                continue;
            chunks.Add(new SegmentChunk(chunkBase, at - chunkLength, maxTimestamp, chunkCrc));
            chunkLength = 0;
        }
        if (chunks.Count == 0)
            throw new ArgumentException($"run of {run.Partition} is empty", nameof(run));
        return new SegmentIndex
        {
            Partition = run.Partition,
            LeaderEpoch = run.LeaderEpoch,
            BaseOffset = baseOffset,
            LastOffset = nextOffset - 1,
            Position = position,
            Length = at,
            Crc = ChecksumOfChunks(chunks),
            FirstTimestamp = firstTimestamp,
            MaxTimestamp = maxTimestamp,
            Chunks = chunks,
            Epochs = epochs,
            ProducerSnapshot = run.ProducerSnapshot,
        };
    }

    /// <summary>The run's checksum: CRC32C of its chunks' checksums, big-endian, one behind the other. Covers every byte, and costs no second pass.</summary>
    public static uint ChecksumOfChunks(IReadOnlyList<SegmentChunk> chunks)
    {
        Span<byte> four = stackalloc byte[4];
        var crc = 0u;
        foreach (var chunk in chunks)
        {
            BinaryPrimitives.WriteUInt32BigEndian(four, chunk.Crc);
            crc = Crc32C.Append(crc, four);
        }
        return crc;
    }

    private static int ChunkBytes(long runLength) =>
        (int)Math.Clamp(BitOperations.RoundUpToPowerOf2((ulong)(runLength / ChunksWanted)), MinChunkBytes, MaxChunkBytes);

    private static EpochStart NextEpoch(RunToSeal run, List<EpochStart> epochs, RecordBatchHeader batch) =>
        epochs.Count == 0 || batch.PartitionLeaderEpoch > epochs[^1].LeaderEpoch
            ? new EpochStart(batch.PartitionLeaderEpoch, batch.BaseOffset)
            : throw new ArgumentException(
                $"run of {run.Partition} falls back to leader epoch {batch.PartitionLeaderEpoch} at offset {batch.BaseOffset}", nameof(run));
}
