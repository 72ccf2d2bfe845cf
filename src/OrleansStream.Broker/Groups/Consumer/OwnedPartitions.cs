using System.Diagnostics.CodeAnalysis;

namespace OrleansStream.Broker.Groups.Consumer;

/// <summary>
/// What a member owns: partitions by topic id, each with the member epoch at which it was given (its assignment epoch, KIP-1251), by which late commits of
/// a member that lost and got a partition back are told apart. Immutable.
/// </summary>
internal sealed class OwnedPartitions : IEquatable<OwnedPartitions>
{
    public static readonly OwnedPartitions Empty = new([]);

    private readonly Dictionary<Guid, SortedDictionary<int, int>> _topics;

    private OwnedPartitions(Dictionary<Guid, SortedDictionary<int, int>> topics) => _topics = topics;

    public bool IsEmpty => _topics.Count == 0;

    public IReadOnlyCollection<Guid> TopicIds => _topics.Keys;

    /// <summary>The topic's partitions, ascending, with their assignment epochs.</summary>
    public IReadOnlyDictionary<int, int> Of(Guid topic) => _topics.TryGetValue(topic, out var partitions) ? partitions : EmptyTopic;

    private static readonly SortedDictionary<int, int> EmptyTopic = [];

    public bool Contains(Guid topic, int partition) => _topics.TryGetValue(topic, out var partitions) && partitions.ContainsKey(partition);

    /// <summary>The epoch at which the partition was given; null where it is not owned.</summary>
    public int? AssignmentEpoch(Guid topic, int partition) =>
        _topics.TryGetValue(topic, out var partitions) && partitions.TryGetValue(partition, out var epoch) ? epoch : null;

    public IEnumerable<(Guid Topic, int Partition, int Epoch)> All()
    {
        foreach (var (topic, partitions) in _topics)
        {
            foreach (var (partition, epoch) in partitions)
                yield return (topic, partition, epoch);
        }
    }

    /// <summary>The same partitions as <paramref name="other"/>, whatever the epochs: what a client can see.</summary>
    public bool SamePartitions(OwnedPartitions other) =>
        _topics.Count == other._topics.Count
        && _topics.All(t => other._topics.TryGetValue(t.Key, out var o) && o.Count == t.Value.Count && t.Value.Keys.All(o.ContainsKey));

    public OwnedPartitions WithEpochs(int epoch)
    {
        var builder = new Builder();
        foreach (var (topic, partition, _) in All())
            builder.Add(topic, partition, epoch);
        return builder.Build();
    }

    public static OwnedPartitions From(PartitionSet partitions, int epoch)
    {
        var builder = new Builder();
        foreach (var (topic, numbers) in partitions.Topics)
        {
            foreach (var partition in numbers)
                builder.Add(topic, partition, epoch);
        }
        return builder.Build();
    }

    public bool Equals([NotNullWhen(true)] OwnedPartitions? other) =>
        ReferenceEquals(this, other) || (other is not null && SamePartitions(other) && All().All(p => other._topics[p.Topic][p.Partition] == p.Epoch));

    public override bool Equals(object? obj) => obj is OwnedPartitions other && Equals(other);

    public override int GetHashCode() => _topics.Count;

    public override string ToString() =>
        string.Join(", ", _topics.OrderBy(t => t.Key).Select(t => $"{t.Key}:[{string.Join(",", t.Value.Select(p => $"{p.Key}@{p.Value}"))}]"));

    internal sealed class Builder
    {
        private readonly Dictionary<Guid, SortedDictionary<int, int>> _topics = [];

        public bool IsEmpty => _topics.Count == 0;

        public void Add(Guid topic, int partition, int epoch)
        {
            if (!_topics.TryGetValue(topic, out var partitions))
                _topics[topic] = partitions = [];
            partitions[partition] = epoch;
        }

        public OwnedPartitions Build() => _topics.Count == 0 ? Empty : new OwnedPartitions(_topics);
    }
}
