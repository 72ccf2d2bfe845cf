namespace OrleansStream.Storage.Journals;

/// <summary>
/// What keeps each unit of a journal (a ring file, or an object) from being trimmed: the partitions with entries in it that are not in a sealed
/// segment yet. Trimming goes in ascending order, so only the oldest unit's partitions are looked at. Thread-safe.
/// </summary>
internal sealed class RetainedRanges
{
    private sealed class Unit(long first)
    {
        public readonly long First = first;
        public readonly Dictionary<PartitionId, Held> Unsealed = [];
        public long Bytes;
    }

    private struct Held
    {
        public int Epoch;
        public long LastOffset;
        public long SinceMs;
    }

    private readonly record struct Mark(int Epoch, long EndOffset);

    private readonly Lock _gate = new();
    private readonly Queue<Unit> _units = new();
    private readonly Dictionary<PartitionId, Mark> _marks = [];
    private Unit? _newest;
    private long _bytes;

    /// <summary>Counts a commit into the newest unit, or into a new one that begins with it. Before its entries complete, so that no seal can come first.</summary>
    public void Add(Commit commit, bool beginsUnit, long nowMs)
    {
        lock (_gate)
        {
            if (beginsUnit || _newest is null)
            {
                _newest = new Unit(commit.Header.Number);
                _units.Enqueue(_newest);
            }

            _newest.Bytes += commit.Length;
            _bytes += commit.Length;
            foreach (var entry in commit.Entries)
            {
                if (!Covered(entry.Partition, entry.LeaderEpoch, entry.LastOffset))
                {
                    var held = _newest.Unsealed.TryGetValue(entry.Partition, out var before) ? before : new Held { SinceMs = nowMs };
                    held.Epoch = Math.Max(held.Epoch, entry.LeaderEpoch);
                    held.LastOffset = Math.Max(held.LastOffset, entry.LastOffset);
                    _newest.Unsealed[entry.Partition] = held;
                }
            }

            Advance();
        }
    }

    /// <summary>A partition's records below an offset, up to an epoch, are in sealed segments named by a durable manifest.</summary>
    public void Sealed(PartitionId partition, int leaderEpoch, long endOffset, long nowMs)
    {
        lock (_gate)
        {
            if (_marks.TryGetValue(partition, out var mark) && (mark.Epoch > leaderEpoch || mark.EndOffset > endOffset))
            {
                return;
            }

            _marks[partition] = new Mark(leaderEpoch, endOffset);
            if (_units.TryPeek(out var oldest) && oldest.Unsealed.TryGetValue(partition, out var held))
            {
                if (Covered(partition, held.Epoch, held.LastOffset))
                {
                    oldest.Unsealed.Remove(partition);
                    Advance();
                }
                else
                {
                    // What is left came while the segment was being sealed: counting its age from here on is short by that time at most.
                    oldest.Unsealed[partition] = held with { SinceMs = nowMs };
                }
            }
        }
    }

    /// <summary>The lowest number that is still needed; <paramref name="next"/>, the number of the next commit, when nothing is.</summary>
    public long Lowest(long next)
    {
        lock (_gate)
        {
            return _units.TryPeek(out var oldest) && oldest.Unsealed.Count > 0 ? oldest.First : next;
        }
    }

    public JournalBacklog Backlog(long nowMs)
    {
        lock (_gate)
        {
            if (!_units.TryPeek(out var oldest) || oldest.Unsealed.Count == 0)
            {
                return new JournalBacklog(0, 0, []);
            }

            var since = nowMs;
            foreach (var held in oldest.Unsealed.Values)
            {
                since = Math.Min(since, held.SinceMs);
            }

            return new JournalBacklog(nowMs - since, _bytes, [.. oldest.Unsealed.Keys]);
        }
    }

    /// <summary>The same of units that are read one by one: with how many they are, and who keeps the older half of them.</summary>
    public JournalBacklog BacklogOfUnits(long nowMs)
    {
        lock (_gate)
        {
            var backlog = Backlog(nowMs);
            HashSet<PartitionId> older = [];
            foreach (var unit in _units.Take((_units.Count + 1) / 2))
            {
                foreach (var (partition, held) in unit.Unsealed)
                {
                    if (!Covered(partition, held.Epoch, held.LastOffset))
                    {
                        older.Add(partition);
                    }
                }
            }

            return backlog with { Objects = backlog.OldestPartitions.Count > 0 ? _units.Count : 0, OlderPartitions = [.. older] };
        }
    }

    private bool Covered(PartitionId partition, int epoch, long lastOffset) =>
        _marks.TryGetValue(partition, out var mark) && epoch <= mark.Epoch && lastOffset < mark.EndOffset;

    private void Advance()
    {
        while (_units.TryPeek(out var oldest) && oldest.Unsealed.Count == 0 && oldest != _newest)
        {
            _bytes -= oldest.Bytes;
            _units.Dequeue();
            foreach (var (partition, held) in _units.Peek().Unsealed)
            {
                // Removing while enumerating is allowed for Dictionary.
                if (Covered(partition, held.Epoch, held.LastOffset))
                {
                    _units.Peek().Unsealed.Remove(partition);
                }
            }
        }
    }
}
