namespace OrleansStream.Storage.Journals;

/// <summary>
/// Where all partitions leave their entries and one loop takes them. An append takes the lock for one list insertion; it wakes the loop only if
/// nothing was waiting before, so under load nobody is woken.
/// </summary>
internal sealed class CommitQueue(AsyncSignal wake)
{
    private readonly Lock _gate = new();
    private List<JournalEntry> _incoming = [];
    private List<JournalEntry> _taken = [];
    private int _next;
    private long _pendingBytes;
    private bool _ended;

    /// <summary>Payload bytes queued or in a commit that has not ended.</summary>
    public long PendingBytes => Interlocked.Read(ref _pendingBytes);

    public void Append(JournalEntry entry)
    {
        Interlocked.Add(ref _pendingBytes, entry.Payload.Length);
        bool first, ended;
        lock (_gate)
        {
            ended = _ended;
            first = _incoming.Count == 0;
            if (!ended)
            {
                _incoming.Add(entry);
            }
        }

        if (ended)
        {
            Interlocked.Add(ref _pendingBytes, -entry.Payload.Length);
            entry.Complete(JournalOutcome.Fenced);
        }
        else if (first)
        {
            wake.Set();
        }
    }

    /// <summary>Whether there is anything to gather. For the loop only.</summary>
    public bool IsEmpty => _next == _taken.Count && !Refill();

    /// <summary>Moves entries into <paramref name="commit"/>, up to <paramref name="maxBytes"/> or one larger entry. For the loop only.</summary>
    public bool Gather(Commit commit, long maxBytes)
    {
        while (!IsEmpty)
        {
            var entry = _taken[_next];
            if (commit.Entries.Count > 0 && commit.EntriesLength + Commit.SizeOf(entry) > maxBytes)
            {
                break;
            }

            _taken[_next++] = null!;
            commit.Add(entry);
        }

        return commit.Entries.Count > 0;
    }

    /// <summary>Ends a commit: its bytes no longer count as pending.</summary>
    public void Complete(Commit commit, JournalOutcome outcome)
    {
        Interlocked.Add(ref _pendingBytes, -commit.PayloadBytes);
        commit.Complete(outcome);
    }

    /// <summary>Completes all that waits as fenced, in order. For the loop only.</summary>
    public void Refuse(Commit scratch)
    {
        while (Gather(scratch, long.MaxValue))
        {
            Complete(scratch, JournalOutcome.Fenced);
        }
    }

    /// <summary>
    /// The loop's last call: completes all that waits as fenced. Whatever comes later is refused on its caller's thread, in order, since nothing waits before it.
    /// </summary>
    public void End(Commit scratch)
    {
        while (true)
        {
            Refuse(scratch);
            lock (_gate)
            {
                if (_incoming.Count == 0)
                {
                    _ended = true;
                    return;
                }
            }
        }
    }

    private bool Refill()
    {
        lock (_gate)
        {
            if (_incoming.Count == 0)
            {
                return false;
            }

            _taken.Clear();
            _next = 0;
            (_incoming, _taken) = (_taken, _incoming);
            return true;
        }
    }
}
