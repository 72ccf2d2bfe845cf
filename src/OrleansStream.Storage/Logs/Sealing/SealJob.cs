using Microsoft.Extensions.Logging;
using OrleansStream.Storage.Ports;
using OrleansStream.Storage.Segments;

namespace OrleansStream.Storage.Logs;

/// <summary>
/// Seals some runs: object first, then each manifest, and only then the journal may let go. Logs without a run only have journals taken off their
/// manifest's list.
/// </summary>
internal sealed class SealJob(List<(PartitionLog Log, FrozenRun Run)> runs, List<PartitionLog> dropOnly)
{
    public IEnumerable<PartitionLog> Logs => runs.Select(static item => item.Log).Concat(dropOnly);

    public async Task RunAsync(LogHost host, ILogger logger, CancellationToken cancel)
    {
        List<Func<Task>> swaps = [.. dropOnly.Select(log => (Func<Task>)(async () => await log.Sealing.DropJournalsAsync(cancel)))];
        // A log that has been retired meanwhile has no bytes to seal any more.
        var pinned = runs.Where(static item => TryPin(item.Run)).ToList();
        try
        {
            if (pinned.Count > 0)
            {
                var written = await CreateAsync(host, pinned, logger, cancel);
                for (var i = 0; i < pinned.Count; i++)
                {
                    var (log, run) = pinned[i];
                    var sealedRun = written.Runs[i];
                    swaps.Add(async () => await log.Sealing.CommitAsync(run, sealedRun, cancel));
                }
            }
            await RunSomeAtATimeAsync(swaps, host.Options.MaxParallelSwaps);
        }
        finally
        {
            foreach (var (_, run) in pinned)
                Unpin(run, run.Parts.Length);
        }
    }

    /// <summary>Creates the object, under another name after each try whose end is unknown, for as long as it takes.</summary>
    private static async Task<SealedObject> CreateAsync(
        LogHost host, List<(PartitionLog Log, FrozenRun Run)> pinned, ILogger logger, CancellationToken cancel)
    {
        var sealing = pinned.Select(static item => new RunToSeal(item.Log.Id, item.Log.LeaderEpoch, item.Run.Batches(), item.Run.Snapshot)).ToList();
        var backoff = new Backoff(host.Ports.Time, host.Options);
        while (true)
        {
            var (log, run) = pinned[0];
            var name = pinned.Count == 1
                ? SegmentNames.ForPartition(log.Id, run.BaseOffset, log.LeaderEpoch, host.Ports.Random)
                : SegmentNames.Shared(host.Ports.Random);
            var built = SealedSegmentWriter.Build(name, log.Journal.Id, sealing);
            try
            {
                var put = await host.Store.CreateAsync(name, built.Content, cancel);
                if (put.Outcome == PutOutcome.Done)
                {
                    host.Metrics.Sealed(built.Content.Length);
                    return built;
                }
                logger.LogWarning("Sealing {Runs} run(s) as '{Name}' ended {Outcome}; trying again under another name.", pinned.Count, name, put.Outcome);
                // Nobody will name it; if it is there after all, it is better gone. What cannot be deleted now is swept later.
                await host.Store.DeleteAsync(name, cancel);
            }
            catch (StoreUnavailableException e)
            {
                logger.LogWarning(e, "Sealing {Runs} run(s) as '{Name}': the store is away; trying again.", pinned.Count, name);
            }
            host.Metrics.SealFailed();
            await backoff.PauseAsync(cancel);
        }
    }

    private static async Task RunSomeAtATimeAsync(List<Func<Task>> bodies, int atATime)
    {
        var next = -1;
        async Task Work()
        {
            while (Interlocked.Increment(ref next) is var i && i < bodies.Count)
                await bodies[i]();
        }
        await Task.WhenAll(Enumerable.Range(0, Math.Min(atATime, bodies.Count)).Select(_ => Work()));
    }

    private static bool TryPin(FrozenRun run)
    {
        for (var i = 0; i < run.Parts.Length; i++)
        {
            if (run.Parts[i].Chunk.TryRetain())
                continue;
            Unpin(run, i);
            return false;
        }
        return true;
    }

    private static void Unpin(FrozenRun run, int count)
    {
        for (var i = 0; i < count; i++)
            run.Parts[i].Chunk.Release();
    }
}
