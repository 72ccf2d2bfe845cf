using System.Collections.Concurrent;
using System.Collections.Immutable;
using OrleansStream.Protocol.Records;
using OrleansStream.Storage.Ports;
using OrleansStream.Storage.Segments;

namespace OrleansStream.Storage.Logs;

/// <summary>Reads what is sealed, and goes on in hot memory where that follows.</summary>
internal sealed class ColdLog(PartitionId id, OwnedManifest manifest, SegmentReader reader, IObjectStore store)
{
    /// <summary>A read that meets neither sealed nor hot data looks again this often: a run was sealed and evicted between both looks.</summary>
    private const int MaxLooks = 5;

    private readonly ConcurrentDictionary<string, ImmutableArray<SealedRun>> _indexes = new(StringComparer.Ordinal);

    /// <summary>Errors as <see cref="SegmentReader"/>.</summary>
    public async ValueTask<LogRead> ReadAsync(HotSegment hot, long offset, long upTo, int maxBytes, bool atLeastOne, CancellationToken cancel)
    {
        var joined = new SequenceBuilder();
        var hold = new JoinedHold();
        var looks = 0;
        try
        {
            while (offset < upTo && (maxBytes > joined.Length || (atLeastOne && joined.Length == 0)))
            {
                var left = (int)(maxBytes - joined.Length);
                var first = atLeastOne && joined.Length == 0;
                if (hot.TryRead(offset, upTo, left, first, out var hotRead))
                {
                    hold.Add(hotRead.Hold);
                    joined.Add(hotRead.Batches);
                    break;
                }
                var (sealedRun, next) = await FindAsync(offset, cancel);
                if (sealedRun is not { } run)
                {
                    if (joined.Length > 0)
                        break;
                    if (offset < manifest.Current.LogStartOffset)
                        return new LogRead(LogStatus.OutOfRange, default, null);
                    if (++looks == MaxLooks)
                        throw new LogCorruptException($"Partition {id}: offset {offset} is neither in hot memory nor in a sealed run.");
                    continue;
                }
                var read = await reader.ReadAsync(run, Math.Max(offset, run.BaseOffset), upTo, left, first, cancel, next);
                hold.Add(read);
                if (read.Batches.IsEmpty)
                    break;
                joined.Add(read.Batches);
                offset = EndOf(read.Batches);
                if (offset <= run.LastOffset)
                    break;
            }
        }
        catch
        {
            hold.Dispose();
            throw;
        }
        return new LogRead(LogStatus.Ok, joined.Build(), hold);
    }

    /// <summary>The first batch with a timestamp not below the wanted one; empty where there is none below <paramref name="upTo"/>.</summary>
    public async ValueTask<LogRead> FindTimestampAsync(HotSegment hot, long timestamp, long upTo, CancellationToken cancel)
    {
        // Hot parts first: what is evicted while the search goes on is sealed, and found in a manifest read later.
        var parts = hot.Parts;
        var current = manifest.Current;
        foreach (var index in current.Indexes)
        {
            if (index.MaxTimestamp < timestamp)
                continue;
            if (await FindTimestampAsync(await LoadAsync(index, cancel), timestamp, upTo, cancel) is { } found)
                return found;
        }
        if (await FindTimestampAsync(current.Runs, timestamp, upTo, cancel) is { } inRuns)
            return inRuns;
        foreach (var part in parts)
        {
            if (part.NextOffset <= current.SealedEndOffset)
                continue;
            var at = part.FindTimestamp(timestamp, upTo);
            if (at < 0)
                continue;
            var offset = part.Batches[at].BaseOffset;
            return await ReadAsync(hot, offset, upTo, 1, atLeastOne: true, cancel);
        }
        return new LogRead(LogStatus.Ok, default, null);
    }

    /// <summary>What is known of timestamps without reading a batch. Errors as <see cref="SegmentReader"/>.</summary>
    public async ValueTask<LiveTimestamps> TimestampsAsync(HotSegment hot, long upTo, CancellationToken cancel)
    {
        var parts = hot.Parts;
        var current = manifest.Current;
        var start = current.LogStartOffset;
        var (max, mixedUpTo) = (RecordBatchLayout.NoTimestamp, start);
        void Add(long baseOffset, long lastOffset, long maxTimestamp)
        {
            if (baseOffset >= start)
                max = Math.Max(max, maxTimestamp);
            else if (lastOffset >= start)
                mixedUpTo = Math.Max(mixedUpTo, Math.Min(lastOffset + 1, upTo));
        }
        foreach (var index in current.Indexes)
        {
            if (index.BaseOffset >= start)
            {
                Add(index.BaseOffset, index.LastOffset, index.MaxTimestamp);
                continue;
            }
            foreach (var run in await LoadAsync(index, cancel))
                Add(run.BaseOffset, run.LastOffset, run.MaxTimestamp);
        }
        foreach (var run in current.Runs)
            Add(run.BaseOffset, run.LastOffset, run.MaxTimestamp);
        foreach (var part in parts)
            Add(part.BaseOffset, part.NextOffset - 1, part.MaxTimestamp(upTo));
        return new LiveTimestamps(LogStatus.Ok, max, mixedUpTo);
    }

    private async ValueTask<LogRead?> FindTimestampAsync(ImmutableArray<SealedRun> runs, long timestamp, long upTo, CancellationToken cancel)
    {
        foreach (var run in runs)
        {
            if (run.MaxTimestamp < timestamp || run.LastOffset < manifest.Current.LogStartOffset)
                continue;
            var read = await reader.FindTimestampAsync(run, timestamp, cancel);
            if (!read.Batches.IsEmpty && RecordBatchHeader.TryRead(read.Batches, out var header) && header.LastOffset < upTo)
                return new LogRead(LogStatus.Ok, read.Batches.Slice(0, header.SizeInBytes), read);
            read.Dispose();
        }
        return null;
    }

    /// <summary>
    /// The run that holds an offset, or the first after it where it lies in a gap, and the one behind it where that is known without a read; nulls where nothing sealed does.
    /// </summary>
    private async ValueTask<(SealedRun? Run, SealedRun? Next)> FindAsync(long offset, CancellationToken cancel)
    {
        var current = manifest.Current;
        if (offset >= current.SealedEndOffset)
            return default;
        foreach (var index in current.Indexes)
        {
            if (offset <= index.LastOffset)
                return Find(await LoadAsync(index, cancel), offset);
        }
        return Find(current.Runs, offset);
    }

    private static (SealedRun? Run, SealedRun? Next) Find(ImmutableArray<SealedRun> runs, long offset)
    {
        var low = 0;
        var high = runs.Length;
        while (low < high)
        {
            var middle = (low + high) / 2;
            if (runs[middle].LastOffset < offset)
                low = middle + 1;
            else
                high = middle;
        }
        return (low < runs.Length ? runs[low] : null, low + 1 < runs.Length ? runs[low + 1] : null);
    }

    internal async ValueTask<ImmutableArray<SealedRun>> LoadAsync(RunIndex index, CancellationToken cancel)
    {
        if (_indexes.TryGetValue(index.Name, out var runs))
            return runs;
        var stored = await store.ReadAsync(index.Name, cancel) ?? throw new ObjectNotFoundException(index.Name);
        runs = ManifestCodec.DecodeIndex(id, stored.Content.Span);
        _indexes[index.Name] = runs;
        return runs;
    }

    private static long EndOf(System.Buffers.ReadOnlySequence<byte> batches)
    {
        while (true)
        {
            RecordBatchHeader.TryRead(batches, out var header);
            batches = batches.Slice(header.SizeInBytes);
            if (batches.IsEmpty)
                return header.NextOffset;
        }
    }
}
