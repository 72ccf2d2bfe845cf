using OrleansStream.Storage;
using OrleansStream.Storage.Journals;
using OrleansStream.Storage.Ports;

namespace OrleansStream.TestSupport;

/// <summary>
/// Journals in memory that outlive the processes of a test: entries become durable at once, or when the test says so. Fault model: a journal can be
/// fenced or fail, with some of its queued entries durable and the rest not.
/// </summary>
public sealed class FakeJournals(IRandomSource random, bool shared = true) : IJournalSystem
{
    private readonly Lock _lock = new();
    private readonly Dictionary<Guid, Content> _journals = [];

    public bool Shared => shared;

    /// <summary>Whether entries become durable within <see cref="IJournal.Append"/>; otherwise the test calls <see cref="FakeJournal.Commit"/>.</summary>
    public bool AutoCommit { get; set; } = true;

    /// <summary>How often journals have been replayed.</summary>
    public int Replays { get; private set; }

    public IReadOnlyCollection<Guid> Ids
    {
        get
        {
            lock (_lock)
                return [.. _journals.Keys];
        }
    }

    /// <summary>The journals that were opened, oldest first.</summary>
    public List<FakeJournal> Opened { get; } = [];

    public ValueTask<IJournal> OpenAsync(CancellationToken cancel)
    {
        Span<byte> bytes = stackalloc byte[16];
        random.Fill(bytes);
        var journal = new FakeJournal(this, new Guid(bytes));
        lock (_lock)
        {
            _journals[journal.Id] = new Content();
            Opened.Add(journal);
        }
        return new ValueTask<IJournal>(journal);
    }

    /// <summary>Awaited before a journal is fenced.</summary>
    public Func<Guid, ValueTask>? BeforeFence { get; set; }

    public async ValueTask FenceAsync(Guid journalId, CancellationToken cancel)
    {
        await (BeforeFence?.Invoke(journalId) ?? default);
        lock (_lock)
            _journals[journalId].Fenced = true;
    }

    public ValueTask ReplayAsync(Guid journalId, IJournalReplay replay, CancellationToken cancel)
    {
        List<Stored> entries;
        lock (_lock)
        {
            Replays++;
            if (!_journals.TryGetValue(journalId, out var content))
                throw new JournalCorruptException($"journal {journalId} is gone");
            if (shared && !content.Fenced)
                throw new InvalidOperationException("replayed before it was fenced");
            entries = [.. content.Entries];
        }
        foreach (var entry in entries)
            replay.Entry(new ReplayedEntry(entry.Partition, entry.Epoch, entry.BaseOffset, entry.LastOffset, entry.Payload));
        return default;
    }

    public ValueTask DeleteAsync(Guid journalId, CancellationToken cancel)
    {
        lock (_lock)
            _journals.Remove(journalId);
        return default;
    }

    public ValueTask<IReadOnlyList<Guid>> ListAsync(CancellationToken cancel)
    {
        lock (_lock)
            return new ValueTask<IReadOnlyList<Guid>>([.. _journals.Keys]);
    }

    internal bool Store(Guid id, JournalEntry entry)
    {
        lock (_lock)
        {
            if (!_journals.TryGetValue(id, out var content) || content.Fenced)
                return false;
            content.Entries.Add(new Stored(entry.Partition, entry.LeaderEpoch, entry.BaseOffset, entry.LastOffset, entry.Payload.ToArray()));
            return true;
        }
    }

    internal void Trim(Guid id, PartitionId partition, int epoch, long endOffset)
    {
        lock (_lock)
        {
            if (_journals.TryGetValue(id, out var content))
                content.Entries.RemoveAll(entry => entry.Partition == partition && entry.Epoch <= epoch && entry.LastOffset < endOffset);
        }
    }

    internal long Bytes(Guid id)
    {
        lock (_lock)
            return _journals.TryGetValue(id, out var content) ? content.Entries.Sum(static entry => (long)entry.Payload.Length) : 0;
    }

    internal IReadOnlyList<PartitionId> Partitions(Guid id)
    {
        lock (_lock)
            return _journals.TryGetValue(id, out var content) ? [.. content.Entries.Select(static entry => entry.Partition).Distinct()] : [];
    }

    private sealed record Stored(PartitionId Partition, int Epoch, long BaseOffset, long LastOffset, byte[] Payload);

    private sealed class Content
    {
        public List<Stored> Entries { get; } = [];
        public bool Fenced { get; set; }
    }
}

/// <summary>One open journal of <see cref="FakeJournals"/>.</summary>
public sealed class FakeJournal(FakeJournals system, Guid id) : IJournal
{
    private readonly Lock _lock = new();
    private readonly Queue<JournalEntry> _queue = new();
    private readonly TaskCompletionSource<string> _closed = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private bool _ended;

    public Guid Id { get; } = id;

    public Task<string> Closed => _closed.Task;

    /// <summary>What <see cref="Backlog"/> says of age.</summary>
    public long AgeMilliseconds { get; set; }

    public long PendingBytes
    {
        get
        {
            lock (_lock)
                return _queue.Sum(static entry => (long)entry.Payload.Length);
        }
    }

    public int Queued
    {
        get
        {
            lock (_lock)
                return _queue.Count;
        }
    }

    public void Append(JournalEntry entry)
    {
        lock (_lock)
            _queue.Enqueue(entry);
        if (_ended)
            Fail("closed");
        else if (system.AutoCommit)
            Commit();
    }

    /// <summary>Makes queued entries durable, in order; a fence makes them fail and ends the journal.</summary>
    public void Commit(int atMost = int.MaxValue)
    {
        for (; atMost > 0; atMost--)
        {
            JournalEntry? entry;
            lock (_lock)
            {
                if (!_queue.TryDequeue(out entry))
                    return;
            }
            if (_ended || !system.Store(Id, entry))
            {
                entry.Complete(JournalOutcome.Fenced);
                Fail("fenced by another process");
                return;
            }
            entry.Complete(JournalOutcome.Durable);
        }
    }

    /// <summary>Makes the first entries durable without a word to anybody; ends the journal, so that all of them seem to have failed.</summary>
    public void FailUnheard(int durable, string reason)
    {
        lock (_lock)
        {
            foreach (var entry in _queue.Take(durable))
                system.Store(Id, entry);
        }
        Fail(reason);
    }

    /// <summary>Ends the journal: whatever is queued fails.</summary>
    public void Fail(string reason)
    {
        _ended = true;
        while (true)
        {
            JournalEntry? entry;
            lock (_lock)
            {
                if (!_queue.TryDequeue(out entry))
                    break;
            }
            entry.Complete(JournalOutcome.Fenced);
        }
        _closed.TrySetResult(reason);
    }

    public void Sealed(PartitionId partition, int leaderEpoch, long endOffset) => system.Trim(Id, partition, leaderEpoch, endOffset);

    public JournalBacklog Backlog() => new(AgeMilliseconds, system.Bytes(Id), system.Partitions(Id));

    public ValueTask CloseAsync(CancellationToken cancel)
    {
        Commit();
        _ended = true;
        _closed.TrySetResult("closed");
        return default;
    }

    public ValueTask DisposeAsync()
    {
        _ended = true;
        _closed.TrySetResult("disposed");
        return default;
    }
}
