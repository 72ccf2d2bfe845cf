using System.Buffers;

namespace OrleansStream.Storage.Segments;

/// <summary>
/// Some tens of KiB of whole batches, the unit of finding and of checking: where a chunk begins, and the checksum of all of its bytes. Batch
/// checksums would not do, as base offset and leader epoch lie outside of them.
/// </summary>
/// <param name="BaseOffset">First offset of the chunk's first batch.</param>
/// <param name="Position">Where the chunk begins, in bytes from the beginning of the run.</param>
/// <param name="MaxTimestamp">Largest timestamp in the run up to the end of this chunk, in milliseconds: rising, hence also the time index.</param>
/// <param name="Crc">CRC32C of the chunk.</param>
public readonly record struct SegmentChunk(long BaseOffset, long Position, long MaxTimestamp, uint Crc);

/// <summary>The first offset that a run holds of a leader epoch.</summary>
public readonly record struct EpochStart(int LeaderEpoch, long StartOffset);

/// <summary>The index of one run: everything that the footer knows of it.</summary>
public sealed class SegmentIndex
{
    public required PartitionId Partition { get; init; }
    public required int LeaderEpoch { get; init; }
    public required long BaseOffset { get; init; }
    public required long LastOffset { get; init; }
    public required long Position { get; init; }
    public required long Length { get; init; }
    public required uint Crc { get; init; }
    public required long FirstTimestamp { get; init; }
    public required long MaxTimestamp { get; init; }
    public required IReadOnlyList<SegmentChunk> Chunks { get; init; }

    /// <summary>Leader epochs of the batches, rising.</summary>
    public required IReadOnlyList<EpochStart> Epochs { get; init; }

    /// <summary>Producer state after the run's last batch: opaque bytes of the Broker.</summary>
    public required ReadOnlyMemory<byte> ProducerSnapshot { get; init; }

    /// <summary>The chunk that holds <paramref name="offset"/>, or the last one before it.</summary>
    public int ChunkOfOffset(long offset)
    {
        int low = 0, high = Chunks.Count - 1;
        while (low < high)
        {
            var middle = (low + high + 1) / 2;
            if (Chunks[middle].BaseOffset <= offset)
                low = middle;
            else
                high = middle - 1;
        }
        return low;
    }

    /// <summary>The first chunk with a batch whose max timestamp is not below <paramref name="timestamp"/>; -1 where there is none.</summary>
    public int ChunkOfTimestamp(long timestamp)
    {
        if (MaxTimestamp < timestamp)
            return -1;
        int low = 0, high = Chunks.Count - 1;
        while (low < high)
        {
            var middle = (low + high) / 2;
            if (Chunks[middle].MaxTimestamp >= timestamp)
                high = middle;
            else
                low = middle + 1;
        }
        return low;
    }

    /// <summary>Bytes of chunk <paramref name="chunk"/>.</summary>
    public long ChunkLength(int chunk) => (chunk + 1 < Chunks.Count ? Chunks[chunk + 1].Position : Length) - Chunks[chunk].Position;
}
