using OrleansStream.Broker.Topics;

namespace OrleansStream.Broker.Groups.Consumer;

/// <summary>What members subscribe to in one picture of the cluster: names and what regular expressions matched, as ids of topics that exist.</summary>
internal sealed class Subscriptions(ClusterPicture cluster, IReadOnlyDictionary<string, ResolvedRegex> regexes)
{
    private static readonly HashSet<Guid> Nothing = [];

    private ConsumerMember? _last;
    private HashSet<Guid> _lastTopics = Nothing;

    public IReadOnlySet<Guid> TopicsOf(ConsumerMember member)
    {
        // Members of a group mostly subscribe to the same: their sets are then one object, which is quickly compared.
        if (_last is not null && _last.TopicRegex == member.TopicRegex && _last.SameNames(member))
            return _lastTopics;
        var topics = new HashSet<Guid>();
        foreach (var name in NamesOf(member))
        {
            if (cluster.TopicsByName.TryGetValue(name, out var topic))
                topics.Add(topic.Id);
        }
        (_last, _lastTopics) = (member, topics);
        return topics;
    }

    private IEnumerable<string> NamesOf(ConsumerMember member) =>
        member.TopicRegex.Length > 0 && regexes.TryGetValue(member.TopicRegex, out var regex) ? member.TopicNames.Concat(regex.Topics) : member.TopicNames;

    /// <summary>The number of partitions of each topic that any of these members subscribes to.</summary>
    public Dictionary<Guid, int> Partitions(IEnumerable<ConsumerMember> members)
    {
        var partitions = new Dictionary<Guid, int>();
        IReadOnlySet<Guid>? before = null;
        foreach (var member in members)
        {
            var topics = TopicsOf(member);
            if (ReferenceEquals(topics, before))
                continue;
            before = topics;
            foreach (var topic in topics)
                partitions.TryAdd(topic, cluster.TopicsById[topic].Partitions.Count);
        }
        return partitions;
    }

    /// <summary>
    /// A number that is another one when a topic that these members subscribe to is created, deleted or gets partitions; 0 where there is none (KIP-1101). Only
    /// this program compares it: the sum (FNV-1a of each) is its own.
    /// </summary>
    public long MetadataHash(IEnumerable<ConsumerMember> members)
    {
        ulong sum = 0;
        Span<byte> bytes = stackalloc byte[16];
        foreach (var (topic, partitions) in Partitions(members))
        {
            var hash = 14695981039346656037;
            topic.TryWriteBytes(bytes);
            foreach (var part in bytes)
                hash = (hash ^ part) * 1099511628211;
            for (var shift = 0; shift < 32; shift += 8)
                hash = (hash ^ (byte)(partitions >> shift)) * 1099511628211;
            sum += hash;
        }
        return unchecked((long)sum);
    }
}
