using OrleansStream.Protocol.Messages;

namespace OrleansStream.Gateway.Fetching;

/// <summary>
/// A client's standing wish (KIP-227): it names its partitions once and afterwards only what changes. Not thread-safe: the cache's lock guards it.
/// </summary>
public sealed class FetchSession(int id, bool usesTopicIds)
{
    private readonly Dictionary<FetchKey, LinkedListNode<FetchPart>> _byKey = [];
    private readonly LinkedList<FetchPart> _order = [];

    public int Id { get; } = id;

    /// <summary>Whether it was begun by a version that names topics by id; it cannot change.</summary>
    public bool UsesTopicIds { get; } = usesTopicIds;

    /// <summary>The epoch that the next request must carry.</summary>
    public int Epoch { get; private set; } = 1;

    public int Count => _byKey.Count;

    /// <summary>When it was last used, as the cache's clock counts.</summary>
    public long LastUsed { get; set; }

    public void Advance() => Epoch = Epoch == int.MaxValue ? 1 : Epoch + 1;

    public void Add(FetchPart part)
    {
        if (!_byKey.ContainsKey(part.Key))
            _byKey.Add(part.Key, _order.AddLast(part));
    }

    public void Want(FetchKey key, FetchRequest.FetchPartition wish)
    {
        if (!_byKey.TryGetValue(key, out LinkedListNode<FetchPart>? node))
            _byKey.Add(key, node = _order.AddLast(new FetchPart(key)));
        node.Value.Want(wish);
    }

    public void Forget(FetchKey key)
    {
        if (_byKey.Remove(key, out LinkedListNode<FetchPart>? node))
            _order.Remove(node);
    }

    /// <summary>The partitions, those first that have waited longest for data.</summary>
    public FetchPart[] Parts() => [.. _order];

    /// <summary>Puts a partition that has just given data behind the others, so that no busy one starves them.</summary>
    public void MoveToEnd(FetchKey key)
    {
        if (!_byKey.TryGetValue(key, out LinkedListNode<FetchPart>? node))
            return;
        _order.Remove(node);
        _order.AddLast(node);
    }
}
