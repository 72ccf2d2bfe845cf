using System.Collections.Concurrent;
using System.Collections.Frozen;
using System.Collections.Immutable;
using OrleansStream.Broker.Configuration;
using OrleansStream.Broker.Engine;
using OrleansStream.Broker.Groups;
using OrleansStream.Broker.Partitions;
using OrleansStream.Broker.Topics;
using OrleansStream.Protocol;
using OrleansStream.TestSupport;

namespace OrleansStream.Gateway.Tests.Fakes;

/// <summary>An engine in memory, broker 1 of a cluster of one or more, with just enough rules for the gateway's tests. Nothing is validated, nothing is durable.</summary>
internal sealed class MemoryEngine : IEngine, ITopicAdmin
{
    private readonly ConcurrentDictionary<(Guid, int), MemoryPartition> _partitions = new();
    private readonly ConcurrentDictionary<(Guid, int), TaskCompletionSource<PartitionLease>> _opening = new();
    private readonly Lock _lock = new();
    private long _nextProducerId = 1000;
    private int _waiting;
    private int _asked;

    public MemoryEngine(string listener, string host, int port)
    {
        var broker = new BrokerPicture(1, null, new Dictionary<string, AdvertisedAddress> { [listener] = new(host, port) });
        Cluster = new ClusterPicture("memory", 1, [broker], FrozenDictionary<string, TopicPicture>.Empty, FrozenDictionary<Guid, TopicPicture>.Empty);
        BrokerSettings settings = BrokerSettingsParser.Parse([]).Settings;
        Groups = new GroupCoordinator(new TestPorts().Runtime, this, () => settings, _ => ImmutableDictionary<string, string>.Empty, snapshots: null);
    }

    public ClusterPicture Cluster { get; private set; }
    public ITopicAdmin Topics => this;
    public IGroupCoordinator Groups { get; }

    /// <summary>What AdmitAsync answers as throttle time.</summary>
    public int ThrottleMs { get; set; }

    /// <summary>Whether appends stay open until <see cref="MemoryPartition.Release"/>.</summary>
    public bool HoldAppends { get; set; }

    /// <summary>Another broker, on the listener of the first.</summary>
    public void AddBroker(int nodeId, string host, int port, string? rack)
    {
        string listener = Cluster.Brokers[0].Listeners.Keys.Single();
        Cluster = Cluster with
        {
            Brokers = [.. Cluster.Brokers, new BrokerPicture(nodeId, rack, new Dictionary<string, AdvertisedAddress> { [listener] = new(host, port) })],
        };
    }

    /// <summary>This broker leads a partition from now on, under that epoch.</summary>
    public void Lead(TopicPicture topic, int index, int leader, int epoch)
    {
        lock (_lock)
        {
            TopicPicture now = Cluster.TopicsById[topic.Id];
            PartitionPicture[] partitions = [.. now.Partitions];
            partitions[index] = new PartitionPicture(leader, epoch);
            Publish(Cluster.TopicsByName.Values.Where(t => t.Id != topic.Id).Append(now with { Partitions = partitions }));
        }
    }

    /// <summary>Makes requests for a partition wait, for what the test answers, until <see cref="Opened"/>.</summary>
    public TaskCompletionSource<PartitionLease> Open(TopicPicture topic, int index) => _opening.GetOrAdd(
        (topic.Id, index), static _ => new TaskCompletionSource<PartitionLease>(TaskCreationOptions.RunContinuationsAsynchronously));

    /// <summary>How many requests have come to wait for a partition.</summary>
    public int Waiting => Volatile.Read(ref _waiting);

    public void Opened(TopicPicture topic, int index) => _opening.TryRemove((topic.Id, index), out _);

    public TopicPicture AddTopic(string name, int partitions = 1, int leaderId = 1, short replicationFactor = 1)
    {
        lock (_lock)
        {
            var topic = new TopicPicture(name, Guid.NewGuid(), false, replicationFactor, new TopicConfig(), [.. Enumerable.Repeat(new PartitionPicture(leaderId, 0), partitions)]);
            Publish(Cluster.TopicsByName.Values.Append(topic));
            return topic;
        }
    }

    public MemoryPartition Partition(TopicPicture topic, int index) =>
        _partitions.GetOrAdd((topic.Id, index), key => new MemoryPartition(this, new(key.Item1, key.Item2)));

    /// <summary>Another leader's object takes the place of the one that was.</summary>
    public void Replace(TopicPicture topic, int index) => _partitions[(topic.Id, index)] = new MemoryPartition(this, new(topic.Id, index));

    /// <summary>How many requests have asked for a partition.</summary>
    public int Asked => Volatile.Read(ref _asked);

    public ValueTask<PartitionLease> GetPartitionAsync(TopicPicture topic, int index, CancellationToken cancel)
    {
        Interlocked.Increment(ref _asked);
        if ((uint)index >= (uint)topic.Partitions.Count)
            return ValueTask.FromResult(new PartitionLease(ErrorCode.UnknownTopicOrPartition, null));
        if (_opening.TryGetValue((topic.Id, index), out TaskCompletionSource<PartitionLease>? opening))
        {
            Interlocked.Increment(ref _waiting);
            return new ValueTask<PartitionLease>(opening.Task.WaitAsync(cancel));
        }
        return ValueTask.FromResult(topic.Partitions[index].LeaderId == 1
            ? new PartitionLease(ErrorCode.None, Partition(topic, index))
            : new PartitionLease(ErrorCode.NotLeaderOrFollower, null));
    }

    public ValueTask<long> NextProducerIdAsync(CancellationToken cancel) => ValueTask.FromResult(Interlocked.Increment(ref _nextProducerId));

    public ValueTask<int> AdmitAsync(int bytes, CancellationToken cancel) => ValueTask.FromResult(ThrottleMs);

    public ValueTask<CreateTopicOutcome> CreateAsync(NewTopic topic, bool validateOnly, CancellationToken cancel)
    {
        if (Cluster.TopicsByName.ContainsKey(topic.Name))
            return ValueTask.FromResult(new CreateTopicOutcome(new AdminError(ErrorCode.TopicAlreadyExists, $"Topic '{topic.Name}' already exists."), null, []));
        TopicPicture made = AddTopic(topic.Name, topic.Partitions < 0 ? 1 : topic.Partitions);
        return ValueTask.FromResult(new CreateTopicOutcome(AdminError.None, made, []));
    }

    public ValueTask<AdminError> DeleteAsync(TopicPicture topic, CancellationToken cancel)
    {
        lock (_lock)
            Publish(Cluster.TopicsByName.Values.Where(t => t.Id != topic.Id));
        return ValueTask.FromResult(AdminError.None);
    }

    public ValueTask<AdminError> AddPartitionsAsync(
        string topic, int count, IReadOnlyList<IReadOnlyList<int>>? assignments, bool validateOnly, CancellationToken cancel) =>
        ValueTask.FromResult(new AdminError(ErrorCode.InvalidPartitions));

    public ValueTask<(AdminError Error, IReadOnlyList<ConfigEntry> Entries)> DescribeConfigsAsync(
        ConfigResourceType type, string name, IReadOnlyList<string>? names, CancellationToken cancel) =>
        ValueTask.FromResult<(AdminError, IReadOnlyList<ConfigEntry>)>((AdminError.None, []));

    /// <summary>What is named as configured, by type.</summary>
    public Dictionary<ConfigResourceType, string[]> Configured { get; } = [];

    public IReadOnlyList<string> ConfiguredResources(ConfigResourceType type) => Configured.GetValueOrDefault(type) ?? [];

    public ValueTask<AdminError> AlterConfigsAsync(
        ConfigResourceType type, string name, IReadOnlyList<ConfigChange> changes, bool validateOnly, CancellationToken cancel) =>
        ValueTask.FromResult(AdminError.None);

    private void Publish(IEnumerable<TopicPicture> topics)
    {
        TopicPicture[] all = [.. topics];
        Cluster = Cluster with { TopicsByName = all.ToFrozenDictionary(t => t.Name), TopicsById = all.ToFrozenDictionary(t => t.Id) };
    }
}
