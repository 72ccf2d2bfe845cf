using OrleansStream.Broker.Engine;
using OrleansStream.Broker.Forwarding;
using OrleansStream.Broker.Groups;
using OrleansStream.Broker.Partitions;
using OrleansStream.Broker.Tests.Engine;
using OrleansStream.Broker.Topics;
using OrleansStream.Protocol;
using OrleansStream.Storage;

namespace OrleansStream.Broker.Tests.Forwarding;

/// <summary>Two brokers, of which the first serves everything. Between them calls overtake each other, as a test says.</summary>
internal sealed class ForwardingRig : IPeers
{
    private readonly Dictionary<int, UnevenPeer> _peers = [];

    public ClusterRig Cluster { get; } = new();
    public ClusterRig.Member Near { get; private set; } = null!;
    public ClusterRig.Member Far { get; private set; } = null!;
    public ForwardingEngine Engine { get; private set; } = null!;
    public UnevenPeer Wire => _peers[2];

    public static async Task<ForwardingRig> StartAsync()
    {
        var rig = new ForwardingRig();
        rig.Near = await rig.Cluster.StartAsync(1);
        rig.Far = await rig.Cluster.StartAsync(2);
        foreach (var member in new[] { rig.Near, rig.Far })
            rig._peers[member.Broker.NodeId] = new UnevenPeer(new ForwardedRequests(member.Engine, rig.Cluster.Ports.Runtime));
        rig.Engine = new ForwardingEngine(rig.Near.Engine, rig.Near.Engine.Topics, rig, rig.Cluster.Ports.Runtime);
        return rig;
    }

    public IPeerBroker Of(int nodeId) => _peers[nodeId];

    /// <summary>A topic of one partition that a broker leads and serves.</summary>
    public async Task<PartitionId> TopicAsync(string name, ClusterRig.Member leader)
    {
        var id = await Cluster.CreateAsync(Near, name);
        await MoveAsync(id, leader);
        return id;
    }

    public async Task MoveAsync(PartitionId id, ClusterRig.Member leader)
    {
        await Cluster.AssignAsync(id.TopicId, [leader.Broker.NodeId]);
        Assert.True(await leader.Engine.LeadAsync(id, CancellationToken.None) >= 0);
    }

    public ValueTask<PartitionLease> LeaseAsync(string topic) => Engine.GetPartitionAsync(Engine.Cluster.TopicsByName[topic], 0, CancellationToken.None);

    public async Task<IPartition> PartitionAsync(string topic)
    {
        var lease = await LeaseAsync(topic);
        Assert.Equal(ErrorCode.None, lease.Error);
        return lease.Partition!;
    }

    public async ValueTask EndAsync()
    {
        await Near.Engine.DisposeAsync();
        await Far.Engine.DisposeAsync();
    }
}

/// <summary>A wire to a broker on which calls wait until a test lets them go, in an order of its own, or get lost.</summary>
internal sealed class UnevenPeer(ForwardedRequests there) : IPeerBroker
{
    private readonly Lock _lock = new();
    private List<(string Call, TaskCompletionSource<bool> Sent)> _held = [];

    /// <summary>Whether calls that have an order wait for <see cref="Release"/>.</summary>
    public bool Holds { get; set; }

    /// <summary>Nobody answers.</summary>
    public bool IsDead { get; set; }

    public int Appends { get; private set; }
    public int Waits { get; private set; }

    public int Held
    {
        get
        {
            lock (_lock)
                return _held.Count;
        }
    }

    /// <summary>Lets go of what is held in an order that the seed picks.</summary>
    /// <param name="lose">Those of these places, in the order of sending, get lost.</param>
    public void Release(int seed, params int[] lose)
    {
        (string Call, TaskCompletionSource<bool> Sent)[] held;
        lock (_lock)
            (held, _held) = ([.. _held], []);
        var lost = lose.Select(i => held[i]).ToHashSet();
        new Random(seed).Shuffle(held);
        foreach (var call in held)
            call.Sent.SetResult(!lost.Contains(call));
    }

    public async Task<AppendResult> AppendAsync(PeerCall call, CallOrder order, ReadOnlyMemory<byte> records, Acks acks, short produceVersion)
    {
        Appends++;
        // As on a wire: what the sender does with its memory later is seen by nobody.
        var sent = records.ToArray();
        await SendAsync("append");
        return await there.AppendAsync(call, order, sent, acks, produceVersion);
    }

    public async Task<ReadOnlyMemory<byte>> AskGroupAsync(GroupCall call)
    {
        await SendAsync(call.Order is null ? null : "commit");
        return await there.AskGroupAsync(call);
    }

    public async Task<Watermarks> WaitAsync(PeerCall call, long known, TimeSpan atMost)
    {
        Waits++;
        return await AskAsync(there.WaitAsync(call, known, atMost));
    }

    public Task<PartitionRead> ReadAsync(PeerCall call, PartitionReadRequest wish) => AskAsync(there.ReadAsync(call, wish));
    public Task<OffsetLookup> ListOffsetAsync(PeerCall call, long timestamp, IsolationLevel isolation, int currentLeaderEpoch) =>
        AskAsync(there.ListOffsetAsync(call, timestamp, isolation, currentLeaderEpoch));
    public Task<EpochEnd> EndOffsetForEpochAsync(PeerCall call, int currentLeaderEpoch, int leaderEpoch) =>
        AskAsync(there.EndOffsetForEpochAsync(call, currentLeaderEpoch, leaderEpoch));
    public Task<DeletedRecords> DeleteRecordsAsync(PeerCall call, long offset) => AskAsync(there.DeleteRecordsAsync(call, offset));
    public Task<ActiveProducers> DescribeProducersAsync(PeerCall call) => AskAsync(there.DescribeProducersAsync(call));
    public Task<long?> SizeAsync(PeerCall call) => AskAsync(there.SizeAsync(call));

    private async Task<T> AskAsync<T>(Task<T> call)
    {
        await SendAsync(null);
        return await call;
    }

    private async Task SendAsync(string? ordered)
    {
        if (IsDead)
            throw new PeerLostException("nobody there");
        if (ordered is null || !Holds)
            return;
        var sent = new TaskCompletionSource<bool>(TaskCreationOptions.RunContinuationsAsynchronously);
        lock (_lock)
            _held.Add((ordered, sent));
        if (!await sent.Task)
            throw new PeerLostException("lost on the way");
    }
}
