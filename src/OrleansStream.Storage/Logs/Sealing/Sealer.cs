using Microsoft.Extensions.Logging;
using OrleansStream.Storage.Ports;

namespace OrleansStream.Storage.Logs;

/// <summary>
/// Moves frozen runs of all logs of a process into sealed objects, in the background: by size, by age (segment.ms), because the journal grows old
/// or large, or because memory is short. Small runs of many partitions share an object, so that requests follow bytes and not partitions.
/// Appends never wait for it; against a store that fails it tries for ever.
/// </summary>
internal sealed class Sealer(LogHost host)
{
    /// <summary>An object holds runs of at most so many partitions, which bounds its directory.</summary>
    private const int MaxRunsPerObject = 1000;

    /// <summary>While the journal's objects are too many, a partition is sealed once for so many of them at most.</summary>
    private const int ObjectsForEachSwap = 8;

    private readonly Lock _lock = new();
    private readonly Queue<PartitionLog> _ready = new();
    private readonly ILogger _logger = host.Ports.Logs.CreateLogger<Sealer>();
    private readonly CancellationTokenSource _stop = new();
    private TaskCompletionSource _changed = NewSignal();
    private Task _hasChanged = Task.CompletedTask;
    private TaskCompletionSource _jobEnded = NewSignal();
    private int _jobs;

    public void Start() => host.Ports.Scheduler.Start("sealer", LoopAsync);

    /// <summary>Says that a log has something to seal. From any thread; short.</summary>
    public void Ready(PartitionLog log)
    {
        lock (_lock)
        {
            if (log.Sealing.Queued)
                return;
            log.Sealing.Queued = true;
            _ready.Enqueue(log);
        }
        Signal();
    }

    /// <summary>Makes the loop look at ages and memory now.</summary>
    public void Signal()
    {
        lock (_lock)
            _changed.TrySetResult();
    }

    public void Stop()
    {
        _stop.Cancel();
        lock (_lock)
            _jobEnded.TrySetResult();
        Signal();
    }

    /// <summary>Completes once none of the logs has anything to do that can be done.</summary>
    public Task DrainAsync(IReadOnlyList<PartitionLog> logs, CancellationToken cancel)
    {
        foreach (var log in logs)
        {
            if (log.Sealing.Ready)
                Ready(log);
        }
        return UntilAsync(() => !logs.Any(IsBusy), cancel);
    }

    /// <summary>Completes once a log is sealed up to an offset that is durable and frozen, or this owner can seal nothing more of it.</summary>
    public Task SealedAsync(PartitionLog log, long endOffset, CancellationToken cancel)
    {
        if (log.Sealing.Ready)
            Ready(log);
        return UntilAsync(() => log.SealedEndOffset >= endOffset || !IsBusy(log), cancel);
    }

    private static bool IsBusy(PartitionLog log) => log.Sealing.Queued || log.Sealing.Ready;

    /// <summary>Looks again after each job, until the condition holds or the sealer has stopped.</summary>
    private async Task UntilAsync(Func<bool> condition, CancellationToken cancel)
    {
        while (true)
        {
            Task ended;
            lock (_lock)
            {
                if (_stop.IsCancellationRequested || condition())
                    return;
                ended = _jobEnded.Task;
            }
            await ended.Inline().WaitAsync(cancel);
        }
    }

    private async Task LoopAsync()
    {
        var lastTick = host.Ports.Time.GetTimestamp();
        while (!_stop.IsCancellationRequested)
        {
            Task changed;
            lock (_lock)
            {
                if (_hasChanged.IsCompleted)
                {
                    _changed = NewSignal();
                    // One for each signal: the loop waits for it again and again.
                    _hasChanged = _changed.Task.Inline();
                }
                changed = _hasChanged;
            }
            if (host.Memory.WantsSealing)
                FreezeLargest();
            if (host.Ports.Time.GetElapsedTime(lastTick).TotalMilliseconds >= host.Options.SealerTickMs)
            {
                lastTick = host.Ports.Time.GetTimestamp();
                FreezeOld();
            }
            while (NextJob() is { } job)
                host.Ports.Scheduler.Start("seal", () => RunAsync(job));
            using var waiting = CancellationTokenSource.CreateLinkedTokenSource(_stop.Token);
            await Task.WhenAny(changed, Task.Delay(TimeSpan.FromMilliseconds(host.Options.SealerTickMs), host.Ports.Time, waiting.Token));
            waiting.Cancel();
        }
    }

    /// <summary>segment.ms of every log, and what pins the journal.</summary>
    private void FreezeOld()
    {
        var now = host.Ports.NowMilliseconds;
        var logs = host.OpenLogs;
        foreach (var log in logs)
        {
            if (log.Unfrozen(now).Expired)
                log.Freeze();
        }
        if (host.CurrentJournal?.Backlog() is not { } backlog)
            return;
        HashSet<PartitionId> pinning = [];
        // With many partitions there may be more objects, else their manifests would be written as often as the journal.
        if (backlog.Objects >= Math.Max(host.Options.JournalMaxObjects, ObjectsForEachSwap * backlog.OlderPartitions.Count))
            pinning.UnionWith(backlog.OlderPartitions);
        if (backlog.AgeMilliseconds >= host.Options.JournalMaxAgeMs || backlog.Bytes >= host.Options.JournalMaxBytes)
            pinning.UnionWith(backlog.OldestPartitions);
        foreach (var log in logs)
        {
            if (pinning.Contains(log.Id))
                log.Freeze();
        }
    }

    /// <summary>Freezes the largest tails until a good part of the budget is on its way to be sealed.</summary>
    private void FreezeLargest()
    {
        var wanted = host.Memory.LimitBytes / 4;
        var logs = host.OpenLogs;
        var frozen = logs.Sum(static log => log.Sealing.FrozenBytes);
        if (frozen >= wanted)
            return;
        foreach (var (log, bytes) in logs.Select(log => (Log: log, log.Unfrozen(0).Bytes)).Where(static tail => tail.Bytes > 0).OrderByDescending(static tail => tail.Bytes))
        {
            log.Freeze();
            frozen += bytes;
            if (frozen >= wanted)
                return;
        }
    }

    /// <summary>One large run, or as many small ones as fill an object; null where all uploads are busy or nothing is ready.</summary>
    private SealJob? NextJob()
    {
        lock (_lock)
        {
            if (_jobs >= host.Options.MaxParallelUploads)
                return null;
            List<(PartitionLog Log, FrozenRun Run)> runs = [];
            List<PartitionLog> dropOnly = [];
            long bytes = 0;
            while (runs.Count < MaxRunsPerObject && dropOnly.Count < MaxRunsPerObject && _ready.TryPeek(out var log))
            {
                if (log.Sealing.NextRun is { } run)
                {
                    if (runs.Count > 0 && bytes + run.Bytes > host.Options.SealTargetBytes)
                        break;
                    runs.Add((log, run));
                    bytes += run.Bytes;
                }
                else if (log.Sealing.Ready)
                    dropOnly.Add(log);
                else
                    log.Sealing.Queued = false;
                _ready.Dequeue();
            }
            if (runs.Count == 0 && dropOnly.Count == 0)
                return null;
            _jobs++;
            return new SealJob(runs, dropOnly);
        }
    }

    private async Task RunAsync(SealJob job)
    {
        try
        {
            await job.RunAsync(host, _logger, _stop.Token);
        }
        catch (OperationCanceledException) when (_stop.IsCancellationRequested)
        {
            // The process ends; what is not sealed is replayed.
        }
        finally
        {
            lock (_lock)
            {
                _jobs--;
                foreach (var log in job.Logs)
                {
                    log.Sealing.Queued = log.Sealing.Ready && !_stop.IsCancellationRequested;
                    if (log.Sealing.Queued)
                        _ready.Enqueue(log);
                }
                _jobEnded.TrySetResult();
                _jobEnded = NewSignal();
            }
            Signal();
        }
    }

    private static TaskCompletionSource NewSignal() => new(TaskCreationOptions.RunContinuationsAsynchronously);
}
