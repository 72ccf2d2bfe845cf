using System.Buffers;
using OrleansStream.Protocol.Records;
using OrleansStream.Storage.Ports;

namespace OrleansStream.Storage.Segments;

/// <summary>Reads sealed runs through the read cache. Thread-safe.</summary>
/// <remarks>
/// All reads throw <see cref="StoreUnavailableException"/> while the store is away, <see cref="ObjectNotFoundException"/> where the object is gone (retention
/// met a reader), <see cref="SegmentCorruptException"/> where the bytes are not those that were sealed: every chunk is checked when it is first used
/// after a load, so that a wrong byte becomes an error and never a record.
/// </remarks>
public sealed class SegmentReader(ReadCache cache)
{
    /// <summary>
    /// Whole batches from the one that holds <paramref name="offset"/> on, at most <paramref name="maxBytes"/>, none with an offset at or above
    /// <paramref name="endOffset"/>. With <paramref name="atLeastOne"/> the first batch is returned even when larger than that. A sequential reader will find
    /// <paramref name="next"/>, the run after this one, begun.
    /// </summary>
    public async ValueTask<SegmentRead> ReadAsync(
        SealedRun run, long offset, long endOffset, int maxBytes, bool atLeastOne, CancellationToken cancel, SealedRun? next = null)
    {
        if (offset > run.LastOffset || offset >= endOffset || (maxBytes <= 0 && !atLeastOne))
            return SegmentRead.Empty;
        var index = await cache.Indexes.GetAsync(run, cancel);
        using var read = new RunRead(cache, run, index);
        var chunk = index.ChunkOfOffset(offset);
        var chunkStart = run.Position + index.Chunks[chunk].Position;
        var until = Math.Min(run.Position + run.Length, chunkStart + index.ChunkLength(chunk) + Math.Max(maxBytes, 0));
        var found = await read.ChunkAsync(chunk, until, atLeastOne, cancel);
        if (found is not { } rest)
            return SegmentRead.Empty;

        var from = chunkStart;
        while (true)
        {
            var batch = Next(rest, run, from);
            if (batch.LastOffset >= offset)
                break;
            rest = rest.Slice(batch.SizeInBytes);
            from += batch.SizeInBytes;
            if (rest.IsEmpty)
                throw new SegmentCorruptException($"'{run.ObjectName}' has no offset {offset} of {run.Partition} where its index puts it");
        }

        var to = from;
        var room = (long)maxBytes;
        while (true)
        {
            if (rest.IsEmpty)
            {
                if (++chunk == index.Chunks.Count || room < RecordBatchHeader.Size || index.Chunks[chunk].BaseOffset >= endOffset)
                    break;
                if (await read.ChunkAsync(chunk, until, required: false, cancel) is not { } more)
                    break;
                rest = more;
            }
            var batch = Next(rest, run, to);
            if (batch.LastOffset >= endOffset || (batch.SizeInBytes > room && !(atLeastOne && to == from)))
                break;
            rest = rest.Slice(batch.SizeInBytes);
            to += batch.SizeInBytes;
            room -= batch.SizeInBytes;
        }
        if (to == from)
            return SegmentRead.Empty;
        cache.Advance(run, from, to, next);
        return read.Finish(from, to);
    }

    /// <summary>The first batch whose max timestamp is not below <paramref name="timestamp"/>; empty where the run has none.</summary>
    public async ValueTask<SegmentRead> FindTimestampAsync(SealedRun run, long timestamp, CancellationToken cancel)
    {
        if (run.MaxTimestamp < timestamp)
            return SegmentRead.Empty;
        var index = await cache.Indexes.GetAsync(run, cancel);
        using var read = new RunRead(cache, run, index);
        var chunk = index.ChunkOfTimestamp(timestamp);
        var from = run.Position + index.Chunks[chunk].Position;
        var rest = (await read.ChunkAsync(chunk, from, required: true, cancel))!.Value;
        while (!rest.IsEmpty)
        {
            var batch = Next(rest, run, from);
            if (batch.MaxTimestamp >= timestamp)
                return read.Finish(from, from + batch.SizeInBytes);
            rest = rest.Slice(batch.SizeInBytes);
            from += batch.SizeInBytes;
        }
        throw new SegmentCorruptException($"'{run.ObjectName}' has no batch of timestamp {timestamp} of {run.Partition} where its index puts it");
    }

    /// <summary>The run's index: leader epochs, producer snapshot.</summary>
    public ValueTask<SegmentIndex> ReadIndexAsync(SealedRun run, CancellationToken cancel) => cache.Indexes.GetAsync(run, cancel);

    private static RecordBatchHeader Next(ReadOnlySequence<byte> rest, SealedRun run, long position) =>
        BatchScan.TryRead(rest, out var batch)
            ? batch
            : throw new SegmentCorruptException($"'{run.ObjectName}' has no whole record batch at byte {position}");
}
