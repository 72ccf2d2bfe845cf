using System.Text;
using OrleansStream.Broker.Engine;
using OrleansStream.Broker.Groups;
using OrleansStream.Broker.Tests.Engine;
using OrleansStream.Protocol;
using OrleansStream.Protocol.Messages;

namespace OrleansStream.Broker.Tests.Groups;

/// <summary>An engine with __consumer_offsets of one partition, and the requests of groups in a few words. The clock stands still until a test moves it.</summary>
internal sealed class GroupRig : IAsyncDisposable
{
    public static readonly string[] Settings =
        ["offsets.topic.num.partitions=1", "group.initial.rebalance.delay.ms=3000", "group.min.session.timeout.ms=1000", "offset.metadata.max.bytes=10"];

    private BrokerEngine? _engine;

    // Every restart of every test is one from a snapshot and the few records behind it.
    public EngineRig Rig { get; } = new() { GroupSnapshotRecords = 3 };
    public BrokerEngine Engine => _engine!;
    public IGroupCoordinator Groups => Engine.Groups;

    public static async Task<GroupRig> StartAsync(params string[] more)
    {
        var rig = new GroupRig();
        await rig.RestartAsync(more);
        await EngineRig.CreateAsync(rig.Engine, "t", 10);
        return rig;
    }

    /// <summary>The process crashes, where one runs, and another begins.</summary>
    public async Task RestartAsync(params string[] more)
    {
        if (_engine is not null)
            await _engine.DisposeAsync();
        _engine = await Rig.StartAsync([.. Settings.Where(s => !more.Any(m => m.Split('=')[0] == s.Split('=')[0])), .. more]);
        Assert.Equal(ErrorCode.None, (await Groups.FindAsync("g", Engine.Topics, CancellationToken.None)).Error);
        // Loaded: from here on requests have their turns in the order in which they are sent.
        await SettleAsync();
    }

    public ValueTask DisposeAsync() => Engine.DisposeAsync();

    public void Advance(int milliseconds) => Rig.Ports.Time.Advance(TimeSpan.FromMilliseconds(milliseconds));

    public static GroupClient Client(short version = 9) => new(version, "client", "/127.0.0.1");

    public async Task<ErrorCode> CommitAsync(
        string group, int partition, long offset, string member = "", int generation = -1, string metadata = "", short version = 9, long retentionMs = -1)
    {
        var request = new OffsetCommitRequest { GroupId = group, MemberId = member, GenerationIdOrMemberEpoch = generation, RetentionTimeMs = retentionMs };
        request.Topics.Add(new() { Name = "t", TopicId = Engine.Cluster.TopicsByName["t"].Id });
        request.Topics[0].Partitions.Add(new() { PartitionIndex = partition, CommittedOffset = offset, CommittedMetadata = metadata, CommittedLeaderEpoch = 3 });
        var response = await await Groups.BeginCommitAsync(Client(version), request);
        return (ErrorCode)response.Topics[0].Partitions[0].ErrorCode;
    }

    /// <summary>The committed offset of partition 0 of "t", -1 for none.</summary>
    public async Task<long> FetchAsync(string group, int partition = 0)
    {
        var response = await Groups.FetchOffsetsAsync(
            new() { GroupId = group, Topics = [new() { Name = "t", PartitionIndexes = [partition] }] }, requireStable: true);
        Assert.Equal(0, response.ErrorCode);
        return response.Topics[0].Partitions[0].CommittedOffset;
    }

    public Task<JoinGroupResponse> JoinAsync(
        string group, string member = "", string? instance = null, short version = 9, string[]? protocols = null, string type = "consumer", int sessionMs = 10_000,
        int rebalanceMs = 60_000)
    {
        var request = new JoinGroupRequest
        {
            GroupId = group, MemberId = member, GroupInstanceId = instance, ProtocolType = type, SessionTimeoutMs = sessionMs, RebalanceTimeoutMs = rebalanceMs,
        };
        foreach (var protocol in protocols ?? ["range"])
            request.Protocols.Add(new() { Name = protocol, Metadata = Encoding.UTF8.GetBytes($"about {protocol}") });
        return Groups.JoinAsync(Client(version), request).AsTask();
    }

    /// <summary>Asks for an id, and joins with it: the task ends with the generation.</summary>
    public async Task<(string Id, Task<JoinGroupResponse> Joining)> EnterAsync(string group, string[]? protocols = null, int sessionMs = 10_000)
    {
        var first = await JoinAsync(group, protocols: protocols, sessionMs: sessionMs);
        Assert.Equal(ErrorCode.MemberIdRequired, (ErrorCode)first.ErrorCode);
        var joining = JoinAsync(group, first.MemberId, protocols: protocols, sessionMs: sessionMs);
        await SettleAsync();
        return (first.MemberId, joining);
    }

    public Task<SyncGroupResponse> SyncAsync(string group, string member, int generation, params (string Member, string What)[] assignments)
    {
        var request = new SyncGroupRequest { GroupId = group, MemberId = member, GenerationId = generation };
        foreach (var (who, what) in assignments)
            request.Assignments.Add(new() { MemberId = who, Assignment = Encoding.UTF8.GetBytes(what) });
        return Groups.SyncAsync(Client(5), request).AsTask();
    }

    public async Task<ErrorCode> HeartbeatAsync(string group, string member, int generation, string? instance = null) => (ErrorCode)(await Groups.HeartbeatAsync(
        Client(4), new HeartbeatRequest { GroupId = group, MemberId = member, GenerationId = generation, GroupInstanceId = instance })).ErrorCode;

    public async Task<ErrorCode> LeaveAsync(string group, string member, string? instance = null)
    {
        var request = new LeaveGroupRequest { GroupId = group };
        request.Members.Add(new() { MemberId = member, GroupInstanceId = instance });
        var response = await Groups.LeaveAsync(Client(5), request);
        return (ErrorCode)(response.ErrorCode != 0 ? response.ErrorCode : response.Members[0].ErrorCode);
    }

    public async Task<string> StateAsync(string group) => (await Groups.DescribeAsync(Client(5), [group]))[0].GroupState;

    /// <summary>A group of one member in its first generation, with an assignment.</summary>
    public async Task<string> StableAsync(string group, int sessionMs = 10_000)
    {
        var (id, joining) = await EnterAsync(group, sessionMs: sessionMs);
        Advance(3000);
        var joined = await joining;
        Assert.Equal((0, 1, id), (joined.ErrorCode, joined.GenerationId, joined.Leader));
        Assert.Equal(0, (await SyncAsync(group, id, 1, (id, "all"))).ErrorCode);
        return id;
    }

    /// <summary>Waits until every request sent so far has had its turn: turns are in order, so that one more request says so.</summary>
    public async Task SettleAsync() => await Groups.DescribeAsync(Client(5), ["nobody"]);
}
