using System.Collections.Immutable;
using Microsoft.Extensions.Logging;
using OrleansStream.Storage.Ports;
using OrleansStream.Storage.Segments;

namespace OrleansStream.Storage.Logs;

/// <summary>What a topic keeps of its old records: retention.ms and retention.bytes, negative where there is no limit.</summary>
public readonly record struct RetentionLimits(long Ms, long Bytes);

/// <summary>
/// Moves a log's start forward: for retention, a whole sealed run at a time, and where a client deletes records. The manifest forgets the runs that lie
/// before the new start; their objects go a while later, so that reads that are under way still find them.
/// </summary>
internal sealed class LogTrimmer(PartitionLog log, LogHost host, ColdLog cold)
{
    /// <summary>Kafka's file.delete.delay.ms. Should the process end before, the sweep finds what nobody names.</summary>
    private static readonly TimeSpan DeleteDelay = TimeSpan.FromMinutes(1);

    /// <summary>
    /// Makes <paramref name="offset"/> the first one that can be read, durably; no effect where the log begins there or later already. OutOfRange above the
    /// high watermark, NotLeader where the manifest belongs to somebody else by now. Tries for as long as the store is away.
    /// </summary>
    public async ValueTask<LogStatus> AdvanceStartAsync(long offset, CancellationToken cancel)
    {
        if (offset < 0 || offset > log.HighWatermark)
            return LogStatus.OutOfRange;
        if (offset <= log.LogStartOffset)
            return LogStatus.Ok;
        ImmutableArray<SealedRun> runs = [];
        ImmutableArray<RunIndex> indexes = [];
        SealedRun? snapshot = null;
        var ours = await log.Manifest.ChangeAsync(now =>
        {
            if (offset <= now.LogStartOffset)
                return new ValueTask<Manifest?>((Manifest?)null);
            runs = [.. now.Runs.TakeWhile(run => run.LastOffset < offset)];
            indexes = [.. now.Indexes.TakeWhile(index => index.LastOffset < offset)];
            snapshot = now.SnapshotRun;
            return new ValueTask<Manifest?>(now with
            {
                LogStartOffset = offset,
                Runs = now.Runs.RemoveRange(0, runs.Length),
                Indexes = now.Indexes.RemoveRange(0, indexes.Length),
            });
        }, cancel);
        if (!ours)
        {
            log.StepDown(LogStatus.NotLeader);
            return LogStatus.NotLeader;
        }
        if (runs.Length + indexes.Length > 0)
            host.Ports.Scheduler.Start("delete trimmed objects", () => DeleteAsync(runs, indexes, snapshot));
        return LogStatus.Ok;
    }

    /// <summary>
    /// Where the log should begin: behind the oldest sealed runs that are too old, or without which there is still as much as is to be kept. Errors as
    /// <see cref="IObjectStore.ReadAsync"/>.
    /// </summary>
    public async ValueTask<long> RetainedFromAsync(RetentionLimits limits, CancellationToken cancel)
    {
        var manifest = log.Manifest.Current;
        var start = manifest.LogStartOffset;
        var left = log.SizeBytes;
        var oldest = limits.Ms < 0 ? long.MinValue : host.Ports.NowMilliseconds - limits.Ms;
        // A run without timestamps does not age; Kafka takes the file's date for it, and an object keeps none that a copy would not change.
        bool MayGo(long maxTimestamp, long bytes) => (maxTimestamp >= 0 && maxTimestamp < oldest) || (limits.Bytes >= 0 && left - bytes >= limits.Bytes);
        foreach (var index in manifest.Indexes)
        {
            if (MayGo(index.MaxTimestamp, index.Bytes))
            {
                (start, left) = (index.LastOffset + 1, left - index.Bytes);
                continue;
            }
            foreach (var run in await cold.LoadAsync(index, cancel))
            {
                // The oldest of an index may be gone already, and some of it may go though all of it may not.
                if (run.LastOffset < start)
                    continue;
                if (!MayGo(run.MaxTimestamp, run.Length))
                    return start;
                (start, left) = (run.LastOffset + 1, left - run.Length);
            }
        }
        foreach (var run in manifest.Runs)
        {
            if (!MayGo(run.MaxTimestamp, run.Length))
                return start;
            (start, left) = (run.LastOffset + 1, left - run.Length);
        }
        return start;
    }

    private async Task DeleteAsync(ImmutableArray<SealedRun> runs, ImmutableArray<RunIndex> indexes, SealedRun? snapshot)
    {
        try
        {
            await Task.Delay(DeleteDelay, host.Ports.Time, host.Stopping);
            foreach (var index in indexes)
            {
                foreach (var run in await cold.LoadAsync(index, host.Stopping))
                    await DeleteAsync(run, snapshot);
                await host.Store.DeleteAsync(index.Name, host.Stopping);
            }
            foreach (var run in runs)
                await DeleteAsync(run, snapshot);
        }
        catch (OperationCanceledException) when (host.Stopping.IsCancellationRequested)
        {
        }
        catch (IOException e)
        {
            host.Ports.Logs.CreateLogger<LogTrimmer>().LogInformation("Partition {Partition}: trimmed objects stay until the next sweep: {Reason}", log.Id, e.Message);
        }
    }

    /// <summary>An object that other partitions share is the sweep's; one with the producers' newest snapshot is still named.</summary>
    private async ValueTask DeleteAsync(SealedRun run, SealedRun? snapshot)
    {
        if (run.ObjectName.StartsWith(SegmentNames.SegmentsPrefix(log.Id), StringComparison.Ordinal) && run.ObjectName != snapshot?.ObjectName)
            await host.Store.DeleteAsync(run.ObjectName, host.Stopping);
    }
}
