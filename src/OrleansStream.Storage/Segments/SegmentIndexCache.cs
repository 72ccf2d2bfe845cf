using OrleansStream.Storage.Ports;

namespace OrleansStream.Storage.Segments;

/// <summary>Run indexes read from the store, least recently used out first; many readers of one cause one get. Thread-safe.</summary>
internal sealed class SegmentIndexCache(IObjectStore store, RuntimePorts ports, long capacityBytes)
{
    // A decoded chunk takes more room than its bytes in the object; an entry has its own weight too.
    private const int WeightFactor = 2;
    private const int EntryWeight = 512;

    private readonly Lock _lock = new();
    private readonly Dictionary<(string Name, long Position), Entry> _entries = [];
    private readonly LinkedList<Entry> _byUse = new();
    private long _weight;

    public ValueTask<SegmentIndex> GetAsync(SealedRun run, CancellationToken cancel)
    {
        Entry? entry;
        lock (_lock)
        {
            if (_entries.TryGetValue((run.ObjectName, run.IndexPosition), out entry))
            {
                _byUse.Remove(entry.Node);
                _byUse.AddFirst(entry.Node);
                if (entry.Index.IsCompletedSuccessfully)
                    return ValueTask.FromResult(entry.Index.Result);
                return new ValueTask<SegmentIndex>(entry.Index.Inline().WaitAsync(cancel));
            }
            entry = new Entry(run);
            _entries.Add((run.ObjectName, run.IndexPosition), entry);
            _byUse.AddFirst(entry.Node);
            _weight += entry.Weight;
            while (_weight > capacityBytes && _byUse.Count > 1)
                Remove(_byUse.Last!.Value);
        }
        ports.Scheduler.Start("segment index load", () => LoadAsync(entry));
        return new ValueTask<SegmentIndex>(entry.Index.Inline().WaitAsync(cancel));
    }

    /// <summary>Begins to load an index that a reader will soon ask for. A failure is the reader's to hear of, who tries again.</summary>
    public void Prefetch(SealedRun run) => _ = GetAsync(run, CancellationToken.None);

    private async Task LoadAsync(Entry entry)
    {
        try
        {
            entry.Complete(await SegmentFooter.ReadIndexAsync(store, entry.Run, CancellationToken.None));
        }
        catch (IOException error)
        {
            lock (_lock)
                Remove(entry);
            entry.Fail(error);
        }
    }

    private void Remove(Entry entry)
    {
        if (!_entries.Remove((entry.Run.ObjectName, entry.Run.IndexPosition)))
            return;
        _byUse.Remove(entry.Node);
        _weight -= entry.Weight;
    }

    private sealed class Entry
    {
        private readonly TaskCompletionSource<SegmentIndex> _index = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public Entry(SealedRun run)
        {
            Run = run;
            Node = new LinkedListNode<Entry>(this);
        }

        public SealedRun Run { get; }
        public LinkedListNode<Entry> Node { get; }
        public long Weight => ((long)Run.IndexLength * WeightFactor) + EntryWeight;
        public Task<SegmentIndex> Index => _index.Task;

        public void Complete(SegmentIndex index) => _index.SetResult(index);

        public void Fail(Exception error)
        {
            _index.SetException(error);
            _ = _index.Task.Exception;
        }
    }
}
