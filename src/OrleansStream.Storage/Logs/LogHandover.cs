using OrleansStream.Storage.Journals;

namespace OrleansStream.Storage.Logs;

/// <summary>
/// Gives single partitions up while the others go on: everything is sealed and the journal leaves the manifest, so that the next owner has nothing to fence and
/// nothing to replay. Remembers what could not be sealed, because a process cannot replay the journal that it still writes.
/// </summary>
internal sealed class LogHandover(LogHost host)
{
    private readonly Lock _lock = new();
    private readonly Dictionary<PartitionId, (IJournal Journal, int LeaderEpoch)> _leftBehind = [];

    /// <summary>Seals what the log holds now, while it goes on serving. Completes early where the log steps down.</summary>
    public async ValueTask SealAsync(PartitionLog log, CancellationToken cancel)
    {
        var end = log.EndOffset;
        log.Freeze();
        if (await log.WaitDurableAsync(end - 1).AsTask().WaitAsync(cancel) == LogStatus.Ok)
            await host.Sealer.SealedAsync(log, end, cancel);
    }

    /// <summary>
    /// Takes no more appends, waits for those in flight, seals the rest, takes the journal off the manifest and frees the log's memory. A log that has
    /// stepped down already is only retired. Whatever happens, it is retired in the end: what was not sealed, the next owner replays.
    /// </summary>
    public async ValueTask ReleaseAsync(PartitionLog log, CancellationToken cancel)
    {
        try
        {
            if (log.Status != LogStatus.Ok && !log.Sealing.Leaving)
                return;
            log.Close();
            await log.WaitDurableAsync(log.EndOffset - 1).AsTask().WaitAsync(cancel);
            await host.Sealer.DrainAsync([log], cancel);
        }
        finally
        {
            Retire(log);
        }
    }

    /// <summary>Whether a log that was retired has left records in a journal under the epoch that a manifest lists.</summary>
    public bool LeftBehind(PartitionId id, IJournal journal, ListedJournal listed)
    {
        lock (_lock)
            return _leftBehind.TryGetValue(id, out var left) && left == (journal, listed.LeaderEpoch);
    }

    /// <summary>Whether everything that retired logs had in a journal is sealed.</summary>
    public bool NothingLeftIn(IJournal journal)
    {
        lock (_lock)
            return _leftBehind.Values.All(left => left.Journal != journal);
    }

    /// <summary>Another log serves the partition, or it is deleted.</summary>
    public void Forget(PartitionId id)
    {
        lock (_lock)
            _leftBehind.Remove(id);
    }

    private void Retire(PartitionLog log)
    {
        if (log.SealedEndOffset < log.EndOffset)
        {
            lock (_lock)
                _leftBehind[log.Id] = (log.Journal, log.LeaderEpoch);
        }
        host.Remove(log);
        log.StepDown(LogStatus.NotLeader);
        log.Retire();
    }
}
