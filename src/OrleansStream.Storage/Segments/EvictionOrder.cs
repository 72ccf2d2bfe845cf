namespace OrleansStream.Storage.Segments;

/// <summary>
/// Which extent of the read cache goes next: what sequential readers have passed, longest ago first, then what was used longest ago. So they take each other
/// neither what was read ahead, nor the chunk that each is in. Guarded by the cache's lock.
/// </summary>
internal sealed class EvictionOrder
{
    private readonly LinkedList<Extent> _byUse = new();
    private readonly LinkedList<Extent> _passed = new();

    public int Count => _byUse.Count + _passed.Count;

    /// <summary>Read ahead, and its reader has not passed it yet.</summary>
    public long AheadBytes { get; private set; }

    public long PassedBytes { get; private set; }

    public IEnumerable<Extent> All => _passed.Concat(_byUse);

    /// <param name="ahead">No reader has come for it yet.</param>
    public void Add(Extent extent, bool ahead)
    {
        extent.Node = _byUse.AddFirst(extent);
        extent.IsAhead = ahead;
        AheadBytes += ahead ? extent.Length : 0;
    }

    public void Use(Extent extent)
    {
        if (_byUse.First == extent.Node)
            return;
        Unlink(extent);
        _byUse.AddFirst(extent.Node!);
    }

    /// <summary>A sequential reader has this behind it, though it was used last.</summary>
    public void Pass(Extent extent)
    {
        if (extent.Node!.List == _passed)
            return;
        Remove(extent);
        _passed.AddLast(extent.Node);
        PassedBytes += extent.Length;
    }

    public void Remove(Extent extent)
    {
        AheadBytes -= extent.IsAhead ? extent.Length : 0;
        extent.IsAhead = false;
        Unlink(extent);
    }

    /// <summary>The next one that nobody has pinned; null where there is none.</summary>
    public Extent? Next() => NextPassed() ?? Unpinned(_byUse.Last, static node => node.Previous);

    /// <summary>The same, only of what was passed.</summary>
    public Extent? NextPassed() => Unpinned(_passed.First, static node => node.Next);

    private static Extent? Unpinned(LinkedListNode<Extent>? node, Func<LinkedListNode<Extent>, LinkedListNode<Extent>?> after)
    {
        while (node?.Value.Pins > 0)
            node = after(node);
        return node?.Value;
    }

    private void Unlink(Extent extent)
    {
        if (extent.Node!.List == _passed)
            PassedBytes -= extent.Length;
        extent.Node.List!.Remove(extent.Node);
    }
}
