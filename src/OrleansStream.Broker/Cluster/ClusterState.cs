using OrleansStream.Broker.Topics;
using OrleansStream.Storage;

namespace OrleansStream.Broker.Cluster;

/// <summary>
/// What the controller knows: brokers, leaders, epochs, and at which version each last changed, so that a broker is told only what is news to it.
/// Not thread-safe: its owner locks.
/// </summary>
internal sealed class ClusterState(int term)
{
    /// <summary>Above the counter of one controller's changes: versions of a later controller are always higher.</summary>
    private const int TermShift = 40;

    private readonly Dictionary<int, ClusterMember> _members = [];
    private readonly Dictionary<Guid, TopicState> _topics = [];
    private readonly Dictionary<Guid, long> _gone = [];
    private readonly Dictionary<string, long> _changed = new(StringComparer.Ordinal);
    private long _configsChanged;

    public long Version { get; private set; } = ((long)term << TermShift) + 1;

    public IReadOnlyDictionary<int, ClusterMember> Members => _members;
    public IReadOnlyDictionary<Guid, TopicState> Topics => _topics;

    /// <summary>Leaders and epochs of one topic's partitions.</summary>
    public sealed class TopicState(int partitions)
    {
        public int[] Leaders { get; private set; } = Filled(partitions, -1);

        /// <summary>The newest leader epoch that any broker has reported.</summary>
        public int[] Epochs { get; private set; } = Filled(partitions, -1);

        /// <summary>The broker that serves the partition now, as it says; -1 where none does.</summary>
        public int[] Serving { get; private set; } = Filled(partitions, -1);

        /// <summary>The newest leader epoch that is known to have ended: none begins again, whatever a report says that was overtaken by a newer one.</summary>
        public int[] Ended { get; private set; } = Filled(partitions, -1);

        public long ChangedAt { get; set; }
        public int Partitions => Leaders.Length;

        public void Widen(int partitions)
        {
            var before = Partitions;
            (Leaders, Epochs, Serving, Ended) = (Wider(Leaders), Wider(Epochs), Wider(Serving), Wider(Ended));

            int[] Wider(int[] old)
            {
                Array.Resize(ref old, partitions);
                old.AsSpan(before).Fill(-1);
                return old;
            }
        }

        /// <summary>As clients see it: an epoch belongs to the broker that serves under it, and is not told of another.</summary>
        public PartitionPicture Picture(int index) =>
            new(Leaders[index], Serving[index] >= 0 && Serving[index] == Leaders[index] ? Epochs[index] : -1);

        private static int[] Filled(int count, int value)
        {
            var array = new int[count];
            array.AsSpan().Fill(value);
            return array;
        }
    }

    public void Put(ClusterMember member)
    {
        _members[member.NodeId] = member;
        Version++;
    }

    /// <summary>A broker is gone: what it served, nobody does.</summary>
    public void Remove(int nodeId)
    {
        if (!_members.Remove(nodeId))
            return;
        Version++;
        foreach (var topic in _topics.Values)
        {
            for (var i = 0; i < topic.Partitions; i++)
            {
                if (topic.Serving[i] == nodeId)
                {
                    topic.Serving[i] = -1;
                    topic.ChangedAt = Version;
                }
            }
        }
    }

    public TopicState Ensure(Guid id, int partitions)
    {
        if (!_topics.TryGetValue(id, out var topic))
        {
            _topics[id] = topic = new TopicState(partitions);
            _gone.Remove(id);
            topic.ChangedAt = ++Version;
        }
        else if (topic.Partitions < partitions)
        {
            topic.Widen(partitions);
            topic.ChangedAt = ++Version;
        }
        return topic;
    }

    public void Forget(Guid id)
    {
        if (_topics.Remove(id))
            _gone[id] = ++Version;
    }

    public int LeaderOf(PartitionId partition) =>
        _topics.TryGetValue(partition.TopicId, out var topic) && partition.Index < topic.Partitions ? topic.Leaders[partition.Index] : -1;

    /// <summary>Whether the leader has opened the partition, as it says.</summary>
    public bool IsServed(PartitionId partition) =>
        _topics.TryGetValue(partition.TopicId, out var topic) && partition.Index < topic.Partitions
        && topic.Leaders[partition.Index] >= 0 && topic.Serving[partition.Index] == topic.Leaders[partition.Index];

    public void Lead(PartitionId partition, int nodeId)
    {
        var topic = _topics[partition.TopicId];
        if (topic.Leaders[partition.Index] == nodeId)
            return;
        topic.Leaders[partition.Index] = nodeId;
        topic.ChangedAt = ++Version;
    }

    /// <summary>
    /// Notes what a broker says of a partition. Who serves under the newest epoch has fenced all others, whatever was assigned: it leads. Answers whether
    /// that was news.
    /// </summary>
    /// <param name="moving">
    /// The partition is on its way to its assigned leader. That its old one has only now opened it does not make it the leader again: it is about to let go.
    /// </param>
    public bool Note(int nodeId, PartitionEvent what, bool moving = false)
    {
        if (!_topics.TryGetValue(what.Partition.TopicId, out var topic) || what.Partition.Index >= topic.Partitions)
        {
            if (!what.Serves)
                return false;
            topic = Ensure(what.Partition.TopicId, what.Partition.Index + 1);
        }
        var i = what.Partition.Index;
        if (what.LeaderEpoch < topic.Epochs[i])
            return false;
        if (what.Serves)
        {
            if (what.LeaderEpoch <= topic.Ended[i])
                return false;
            moving |= topic.Epochs[i] == what.LeaderEpoch;
            if (topic.Epochs[i] == what.LeaderEpoch && topic.Serving[i] == nodeId)
                return false;
            (topic.Epochs[i], topic.Serving[i]) = (what.LeaderEpoch, nodeId);
            if (!moving || topic.Leaders[i] < 0)
                topic.Leaders[i] = nodeId;
        }
        else
        {
            (topic.Epochs[i], topic.Ended[i]) = (what.LeaderEpoch, what.LeaderEpoch);
            if (topic.Serving[i] != nodeId)
                return false;
            topic.Serving[i] = -1;
        }
        topic.ChangedAt = ++Version;
        return true;
    }

    public long RecordsChanged(IEnumerable<string> names)
    {
        Version++;
        foreach (var name in names)
            _changed[name] = Version;
        return Version;
    }

    public long ConfigsChanged() => _configsChanged = ++Version;

    /// <summary>What a broker that has heard everything up to a version has not heard; a version of another controller, or none, is everything.</summary>
    public ClusterNews Since(long version, int controllerId)
    {
        var whole = version >> TermShift != term;
        if (whole)
            version = 0;
        List<KeyValuePair<Guid, PartitionPicture[]>> topics = [];
        foreach (var (id, topic) in _topics)
        {
            if (topic.ChangedAt <= version)
                continue;
            var partitions = new PartitionPicture[topic.Partitions];
            for (var i = 0; i < partitions.Length; i++)
                partitions[i] = topic.Picture(i);
            topics.Add(new(id, partitions));
        }
        if (!whole)
            topics.AddRange(_gone.Where(g => g.Value > version).Select(g => new KeyValuePair<Guid, PartitionPicture[]>(g.Key, [])));
        return new ClusterNews(
            Version, controllerId, whole, [.. _members.Values.OrderBy(static m => m.NodeId)], topics,
            [.. _changed.Where(c => c.Value > version).Select(static c => c.Key)], _configsChanged > version);
    }
}
