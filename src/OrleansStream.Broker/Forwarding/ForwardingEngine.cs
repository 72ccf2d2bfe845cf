using System.Collections.Concurrent;
using OrleansStream.Broker.Engine;
using OrleansStream.Broker.Groups;
using OrleansStream.Broker.Partitions;
using OrleansStream.Broker.Topics;
using OrleansStream.Protocol;
using OrleansStream.Storage;
using OrleansStream.Storage.Ports;

namespace OrleansStream.Broker.Forwarding;

/// <summary>
/// The engine of a broker that serves everything: what is led here by itself, all else through the broker that leads it. For clients that reach the cluster
/// at one address and never know at which broker (docs/architecture.md, <i>One address</i>).
/// </summary>
/// <param name="engine">This broker's own.</param>
/// <param name="topics">How topics are changed.</param>
public sealed class ForwardingEngine(BrokerEngine engine, ITopicAdmin topics, IPeers peers, RuntimePorts ports)
    : EngineFace(engine, new OneAddressTopics(topics, engine.Me.NodeId))
{
    /// <summary>After this, who waits for a leader is told to come again. Callers that have a shorter limit leave earlier.</summary>
    private static readonly TimeSpan LeaderAtMost = TimeSpan.FromSeconds(10);

    private readonly ConcurrentDictionary<PartitionId, RemotePartition> _remote = new();
    private readonly ForwardedBytes _memory = new(Math.Max(1 << 20, engine.Settings.MemoryBudgetBytes / 8), ports.Time);
    private readonly ForwardedCoordinator _groups = new(engine, peers, ports);
    private Drawn? _shown;

    private sealed record Drawn(ClusterPicture Real, BrokerPicture Me, ClusterPicture Shown);

    /// <summary>Bytes that are on their way to other brokers.</summary>
    public long ForwardedBytes => _memory.Used;

    public override ClusterPicture Cluster
    {
        get
        {
            var (real, me) = (engine.Cluster, engine.Me);
            return Volatile.Read(ref _shown) is { } known && ReferenceEquals(known.Real, real) && ReferenceEquals(known.Me, me) ? known.Shown : Draw(real, me);
        }
    }

    public override IGroupCoordinator Groups => _groups;

    public override async ValueTask<int> AdmitAsync(int bytes, CancellationToken cancel)
    {
        var waitedMs = await _memory.AdmitAsync(cancel);
        return waitedMs + await base.AdmitAsync(bytes, cancel);
    }

    public override ValueTask<PartitionLease> GetPartitionAsync(TopicPicture topic, int index, CancellationToken cancel)
    {
        var id = new PartitionId(topic.Id, index);
        var leader = LeaderOf(id);
        if (leader == engine.Me.NodeId)
            return base.GetPartitionAsync(topic, index, cancel);
        return leader >= 0 && RemoteOf(id, leader) is { IsReady: true } remote
            ? new(new PartitionLease(ErrorCode.None, remote)) : WaitForLeaderAsync(topic, id, cancel);
    }

    private ClusterPicture Draw(ClusterPicture real, BrokerPicture me)
    {
        var shown = OneAddress.Of(real, me.Listeners);
        // Two who draw at a time draw the same.
        Volatile.Write(ref _shown, new Drawn(real, me, shown));
        return shown;
    }

    /// <summary>The node id of the living broker that leads the partition; -1 where there is none.</summary>
    private int LeaderOf(PartitionId id)
    {
        var assignment = engine.Assignment;
        var leader = assignment[id].LeaderId;
        if (leader == engine.Me.NodeId)
            return leader;
        foreach (var broker in assignment.Brokers)
        {
            if (broker.NodeId == leader)
                return leader;
        }
        return -1;
    }

    private async ValueTask<PartitionLease> WaitForLeaderAsync(TopicPicture topic, PartitionId id, CancellationToken cancel)
    {
        var since = ports.Time.GetTimestamp();
        while (true)
        {
            if (!engine.Cluster.TopicsById.TryGetValue(topic.Id, out var now) || (uint)id.Index >= (uint)now.Partitions.Count)
                return new PartitionLease(ErrorCode.UnknownTopicOrPartition, null);
            var version = engine.Assignment.Version;
            var leader = LeaderOf(id);
            if (leader == engine.Me.NodeId)
                return await base.GetPartitionAsync(topic, id.Index, cancel);
            var remote = leader >= 0 ? RemoteOf(id, leader) : null;
            if (remote is { IsReady: true })
                return new PartitionLease(ErrorCode.None, remote);
            var left = LeaderAtMost - ports.Time.GetElapsedTime(since);
            if (left <= TimeSpan.Zero)
                return new PartitionLease(ErrorCode.NotLeaderOrFollower, null);
            try
            {
                var other = engine.AssignedAfterAsync(version);
                await (remote is null ? other : Task.WhenAny(other, remote.ReadyAsync())).WaitAsync(left, ports.Time, cancel);
            }
            catch (TimeoutException)
            {
                return new PartitionLease(ErrorCode.NotLeaderOrFollower, null);
            }
        }
    }

    private RemotePartition RemoteOf(PartitionId id, int leader)
    {
        while (true)
        {
            if (!_remote.TryGetValue(id, out var there))
            {
                Sweep();
                return _remote.GetOrAdd(id, static (key, by) => by.Engine.Make(key, by.Leader), (Engine: this, Leader: leader));
            }
            if (there.Leader == leader)
                return there;
            if (_remote.TryUpdate(id, Make(id, leader), there))
                there.Retire();
        }
    }

    private RemotePartition Make(PartitionId id, int leader) => new(id, leader, peers.Of(leader), engine, _memory, ports);

    /// <summary>Topics are deleted: what was known of their partitions goes when others are heard of.</summary>
    private void Sweep()
    {
        foreach (var (id, remote) in _remote)
        {
            if (!engine.Cluster.TopicsById.ContainsKey(id.TopicId) && _remote.TryRemove(new(id, remote)))
                remote.Retire();
        }
    }
}
