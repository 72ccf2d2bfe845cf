namespace OrleansStream.Broker.Groups.Offsets;

/// <summary>The committed offsets of a shard's groups: by group, topic and partition.</summary>
internal sealed class OffsetStore
{
    private static readonly Dictionary<string, Dictionary<int, CommittedOffset>> None = [];

    private readonly Dictionary<string, Dictionary<string, Dictionary<int, CommittedOffset>>> _groups = new(StringComparer.Ordinal);

    public int Count { get; private set; }

    /// <summary>A group's offsets, empty where it has none. Not to be changed while it is walked.</summary>
    public IReadOnlyDictionary<string, Dictionary<int, CommittedOffset>> Of(string group) => _groups.TryGetValue(group, out var topics) ? topics : None;

    public IEnumerable<string> Groups => _groups.Keys;

    public CommittedOffset? Find(string group, string topic, int partition) =>
        _groups.TryGetValue(group, out var topics) && topics.TryGetValue(topic, out var partitions) && partitions.TryGetValue(partition, out var offset)
            ? offset : null;

    public void Put(string group, string topic, int partition, in CommittedOffset offset)
    {
        if (!_groups.TryGetValue(group, out var topics))
            _groups[group] = topics = new(StringComparer.Ordinal);
        if (!topics.TryGetValue(topic, out var partitions))
            topics[topic] = partitions = [];
        if (!partitions.ContainsKey(partition))
            Count++;
        partitions[partition] = offset;
    }

    public void Remove(string group, string topic, int partition)
    {
        if (!_groups.TryGetValue(group, out var topics) || !topics.TryGetValue(topic, out var partitions) || !partitions.Remove(partition))
            return;
        Count--;
        if (partitions.Count > 0)
            return;
        topics.Remove(topic);
        if (topics.Count == 0)
            _groups.Remove(group);
    }
}
