using Microsoft.Extensions.Logging;
using OrleansStream.Storage.Journals;
using OrleansStream.Storage.Memory;
using OrleansStream.Storage.Ports;

namespace OrleansStream.Storage.Logs;

/// <summary>
/// The dead journals of earlier owners: each is fenced and read once per process and split by partition, because a journal is shared by all partitions
/// of its process. What a partition takes is its own; the rest waits in hot memory for those who open later.
/// </summary>
internal sealed class DeadJournals(IJournalSystem journals, ChunkPool pool, RuntimePorts ports)
{
    private readonly Lock _lock = new();
    private readonly Dictionary<Guid, DeadJournal> _dead = [];
    private readonly ILogger _log = ports.Logs.CreateLogger<DeadJournals>();

    /// <summary>
    /// What a journal holds of a partition under an epoch: empty where it holds nothing. The caller owns the tail. Errors as
    /// <see cref="IJournalSystem.ReplayAsync"/>, and <see cref="LogCorruptException"/>.
    /// </summary>
    public async ValueTask<ReplayedTail> TakeAsync(ListedJournal listed, PartitionId partition, CancellationToken cancel)
    {
        var key = (partition, listed.LeaderEpoch);
        var finding = FindAsync(listed.JournalId, key);
        ReplayedTail? tail;
        try
        {
            tail = await finding.WaitAsync(cancel);
        }
        catch (OperationCanceledException)
        {
            // The replay goes on for the other partitions; nobody waits for this one's part.
            _ = DropAsync(finding);
            throw;
        }
        if (tail?.Contradiction is { } contradiction)
        {
            tail.Release();
            throw new LogCorruptException($"Journal {listed.JournalId:N} contradicts itself: {contradiction}.");
        }
        return tail ?? ReplayedTail.Empty(pool);
    }

    /// <summary>Whether this process has fenced a journal.</summary>
    public bool IsFenced(Guid journalId)
    {
        lock (_lock)
            return _dead.TryGetValue(journalId, out var dead) && dead.Split.IsCompletedSuccessfully;
    }

    /// <summary>Forgets what partitions that do not exist any more have left, or a whole journal that nobody lists.</summary>
    public void Forget(Guid journalId, Func<PartitionId, bool> which)
    {
        List<ReplayedTail> gone = [];
        lock (_lock)
        {
            if (!_dead.TryGetValue(journalId, out var dead) || !dead.Split.IsCompletedSuccessfully)
                return;
            var tails = dead.Split.Result;
            foreach (var key in tails.Keys.Where(key => which(key.Partition)).ToList())
            {
                tails.Remove(key, out var tail);
                gone.Add(tail!);
            }
        }
        gone.ForEach(static tail => tail.Release());
    }

    public IReadOnlyList<Guid> Known
    {
        get
        {
            lock (_lock)
                return [.. _dead.Keys];
        }
    }

    private async Task<ReplayedTail?> FindAsync(Guid journalId, (PartitionId Partition, int Epoch) key)
    {
        DeadJournal dead;
        lock (_lock)
        {
            if (!_dead.TryGetValue(journalId, out dead!) || dead.Split.IsFaulted || dead.Split.IsCanceled)
                _dead[journalId] = dead = new DeadJournal(SplitAsync(journalId));
        }
        var tails = await dead.Split;
        lock (_lock)
        {
            if (tails.Remove(key, out var tail))
            {
                dead.Taken.Add(key);
                return tail;
            }
            if (!dead.Taken.Contains(key))
                return null;
        }
        // Taken before, by an opening that did not come to its end, or by an earlier log of this process: read again for this partition alone.
        var again = new Splitter(pool, key.Partition);
        await journals.ReplayAsync(journalId, again, CancellationToken.None);
        again.Tails.Remove(key, out var replayed);
        foreach (var other in again.Tails.Values)
            other.Release();
        return replayed;
    }

    private static async Task DropAsync(Task<ReplayedTail?> finding)
    {
        try
        {
            (await finding)?.Release();
        }
        catch (IOException)
        {
            // Whoever opens the partition next meets the same failure and reports it.
        }
    }

    private async Task<Dictionary<(PartitionId Partition, int Epoch), ReplayedTail>> SplitAsync(Guid journalId)
    {
        var begun = ports.Time.GetTimestamp();
        if (journals.Shared)
            await journals.FenceAsync(journalId, CancellationToken.None);
        var fenced = ports.Time.GetTimestamp();
        var splitter = new Splitter(pool, null);
        try
        {
            await journals.ReplayAsync(journalId, splitter, CancellationToken.None);
        }
        catch
        {
            foreach (var tail in splitter.Tails.Values)
                tail.Release();
            throw;
        }
        _log.LogInformation(
            "Journal {Journal} was fenced in {Fenced:0} ms and read in {Read:0} ms: {Entries} entries of {Partitions} partitions.", journalId,
            ports.Time.GetElapsedTime(begun, fenced).TotalMilliseconds, ports.Time.GetElapsedTime(fenced).TotalMilliseconds, splitter.Entries, splitter.Tails.Count);
        return splitter.Tails;
    }

    private sealed class DeadJournal(Task<Dictionary<(PartitionId Partition, int Epoch), ReplayedTail>> split)
    {
        public Task<Dictionary<(PartitionId Partition, int Epoch), ReplayedTail>> Split { get; } = split;
        public HashSet<(PartitionId, int)> Taken { get; } = [];
    }

    private sealed class Splitter(ChunkPool pool, PartitionId? only) : IJournalReplay
    {
        public Dictionary<(PartitionId Partition, int Epoch), ReplayedTail> Tails { get; } = [];

        public int Entries { get; private set; }

        public void Entry(ReplayedEntry entry)
        {
            Entries++;
            if (only is { } wanted && entry.Partition != wanted)
                return;
            var key = (entry.Partition, entry.LeaderEpoch);
            if (!Tails.TryGetValue(key, out var tail))
                Tails[key] = tail = new ReplayedTail(pool);
            tail.Add(entry);
        }
    }
}
