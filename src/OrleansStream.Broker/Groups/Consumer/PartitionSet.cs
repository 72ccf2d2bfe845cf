using System.Diagnostics.CodeAnalysis;

namespace OrleansStream.Broker.Groups.Consumer;

/// <summary>Partitions by topic id, without doubles, ascending within a topic. Immutable: a target assignment, or what a member says it owns.</summary>
internal sealed class PartitionSet : IEquatable<PartitionSet>
{
    public static readonly PartitionSet Empty = new([]);

    private readonly Dictionary<Guid, int[]> _topics;

    private PartitionSet(Dictionary<Guid, int[]> topics)
    {
        _topics = topics;
        foreach (var partitions in topics.Values)
            Count += partitions.Length;
    }

    /// <summary>Takes topics with any partitions; empty topics and doubles are dropped.</summary>
    public static PartitionSet From(IEnumerable<(Guid Topic, IEnumerable<int> Partitions)> topics)
    {
        var map = new Dictionary<Guid, int[]>();
        foreach (var (topic, partitions) in topics)
        {
            IEnumerable<int> all = map.TryGetValue(topic, out var earlier) ? [.. earlier, .. partitions] : partitions;
            var sorted = all.Distinct().Order().ToArray();
            if (sorted.Length > 0)
                map[topic] = sorted;
        }
        return map.Count == 0 ? Empty : new PartitionSet(map);
    }

    public static PartitionSet From(params (Guid Topic, int[] Partitions)[] topics) => From(topics.Select(t => (t.Topic, (IEnumerable<int>)t.Partitions)));

    /// <summary>The number of partitions.</summary>
    public int Count { get; }

    public IReadOnlyDictionary<Guid, int[]> Topics => _topics;

    public ReadOnlySpan<int> Of(Guid topic) => _topics.TryGetValue(topic, out var partitions) ? partitions : [];

    public bool Contains(Guid topic, int partition) => Of(topic).BinarySearch(partition) >= 0;

    public bool Equals([NotNullWhen(true)] PartitionSet? other)
    {
        if (ReferenceEquals(this, other))
            return true;
        if (other is null || other.Count != Count || other._topics.Count != _topics.Count)
            return false;
        foreach (var (topic, partitions) in _topics)
        {
            if (!other.Of(topic).SequenceEqual(partitions))
                return false;
        }
        return true;
    }

    public override bool Equals(object? obj) => obj is PartitionSet other && Equals(other);

    public override int GetHashCode() => Count;

    public override string ToString() => string.Join(", ", _topics.OrderBy(t => t.Key).Select(t => $"{t.Key}:[{string.Join(",", t.Value)}]"));
}
