using OrleansStream.Broker.Groups;
using OrleansStream.Protocol;
using OrleansStream.Protocol.Messages;

namespace OrleansStream.Broker.Tests.Forwarding;

/// <summary>Groups whose coordinator is another broker.</summary>
public sealed class ForwardedGroupsTests : IAsyncLifetime
{
    private static readonly GroupClient Client = new(9, "client", "/127.0.0.1");
    private ForwardingRig _rig = null!;

    private IGroupCoordinator Groups => _rig.Engine.Groups;

    public async Task InitializeAsync()
    {
        _rig = await ForwardingRig.StartAsync();
        var id = await _rig.TopicAsync("__consumer_offsets", _rig.Far);
        await _rig.Cluster.UntilAsync(() => _rig.Far.Engine.Cluster.TopicsByName["__consumer_offsets"].Partitions[0].LeaderId == 2);
        await _rig.TopicAsync("t", _rig.Near);
        Assert.Equal("__consumer_offsets", _rig.Far.Engine.Cluster.TopicsById[id.TopicId].Name);
    }

    public async Task DisposeAsync() => await _rig.EndAsync();

    private OffsetCommitRequest Commit(long offset)
    {
        var request = new OffsetCommitRequest { GroupId = "g", GenerationIdOrMemberEpoch = -1 };
        request.Topics.Add(new() { Name = "t", TopicId = _rig.Engine.Cluster.TopicsByName["t"].Id });
        request.Topics[0].Partitions.Add(new() { PartitionIndex = 0, CommittedOffset = offset, CommittedMetadata = $"at {offset}" });
        return request;
    }

    [Fact]
    public async Task The_one_address_coordinates_every_group()
    {
        Assert.Equal(new CoordinatorLookup(ErrorCode.None, 0), await Groups.FindAsync("g", _rig.Engine.Topics, CancellationToken.None));
        Assert.Equal(ErrorCode.NotCoordinator, (ErrorCode)(await _rig.Near.Engine.Groups.HeartbeatAsync(Client, new HeartbeatRequest { GroupId = "g" })).ErrorCode);
        Assert.Equal(ErrorCode.UnknownMemberId, (ErrorCode)(await Groups.HeartbeatAsync(Client, new HeartbeatRequest { GroupId = "g", MemberId = "m" })).ErrorCode);
    }

    [Theory]
    [InlineData(1), InlineData(2)]
    public async Task Commits_that_overtake_each_other_on_the_way_count_in_the_order_in_which_they_began(int seed)
    {
        _rig.Wire.Holds = true;
        List<Task<OffsetCommitResponse>> commits = [];
        for (var i = 0; i < 30; i++)
            commits.Add(await Groups.BeginCommitAsync(Client, Commit(i)));
        Assert.Equal(30, _rig.Wire.Held);
        _rig.Wire.Release(seed);
        foreach (var commit in commits)
        {
            var topic = (await commit).Topics.Single();
            Assert.Equal(("t", _rig.Engine.Cluster.TopicsByName["t"].Id, 0), (topic.Name, topic.TopicId, topic.Partitions.Single().ErrorCode));
        }
        var id = _rig.Engine.Cluster.TopicsByName["t"].Id;
        var group = new OffsetFetchRequest.OffsetFetchRequestGroup { GroupId = "g", Topics = [new() { Name = "t", TopicId = id, PartitionIndexes = [0] }] };
        var found = await Groups.FetchOffsetsAsync(group, requireStable: false);
        Assert.Equal(0, found.ErrorCode);
        Assert.Equal((29, "at 29"), (found.Topics.Single().Partitions.Single().CommittedOffset, found.Topics[0].Partitions[0].Metadata));
        Assert.Equal(id, found.Topics[0].TopicId);
    }

    [Fact]
    public async Task Groups_are_listed_described_and_deleted_through_any_broker()
    {
        await await Groups.BeginCommitAsync(Client, Commit(7));
        Assert.Equal("g", (await Groups.ListAsync(new ListGroupsRequest(), CancellationToken.None)).Groups.Single().GroupId);
        var described = await Groups.DescribeAsync(new GroupClient(6, "client", "/127.0.0.1"), ["nobody", "g"]);
        Assert.Equal(
            [("nobody", (short)ErrorCode.GroupIdNotFound), ("g", (short)0)], described.Select(static g => (g.GroupId, g.ErrorCode)));
        Assert.Equal("Empty", described[1].GroupState);
        Assert.Equal(0, (await Groups.DeleteAsync(["g"])).Single().ErrorCode);
        Assert.Empty((await Groups.ListAsync(new ListGroupsRequest(), CancellationToken.None)).Groups);
    }

    [Fact]
    public async Task A_member_joins_stays_and_leaves_in_both_protocols()
    {
        var request = new JoinGroupRequest { GroupId = "classic", SessionTimeoutMs = 10_000, RebalanceTimeoutMs = 10_000, ProtocolType = "consumer" };
        request.Protocols.Add(new() { Name = "range", Metadata = [1, 2] });
        var asked = await Groups.JoinAsync(Client, request);
        Assert.Equal(ErrorCode.MemberIdRequired, (ErrorCode)asked.ErrorCode);
        request.MemberId = asked.MemberId;
        var joining = Groups.JoinAsync(Client, request).AsTask();
        await _rig.Cluster.UntilAsync(() => joining.IsCompleted, stepMs: 500);
        var joined = await joining;
        Assert.Equal((ErrorCode.None, asked.MemberId), ((ErrorCode)joined.ErrorCode, joined.Leader));
        Assert.Equal([1, 2], joined.Members.Single().Metadata);
        var sync = new SyncGroupRequest { GroupId = "classic", MemberId = asked.MemberId, GenerationId = joined.GenerationId, ProtocolType = "consumer", ProtocolName = "range" };
        sync.Assignments.Add(new() { MemberId = asked.MemberId, Assignment = [9] });
        Assert.Equal([9], (await Groups.SyncAsync(Client, sync)).Assignment);
        var leave = new LeaveGroupRequest { GroupId = "classic" };
        leave.Members.Add(new() { MemberId = asked.MemberId });
        Assert.Equal(0, (await Groups.LeaveAsync(Client, leave)).Members.Single().ErrorCode);

        var heartbeat = new ConsumerGroupHeartbeatRequest
        {
            GroupId = "consumer", MemberId = "a-member-id-of-its-own", MemberEpoch = 0, RebalanceTimeoutMs = 10_000, SubscribedTopicNames = ["t"], TopicPartitions = [],
        };
        var beat = await Groups.HeartbeatAsync(new GroupClient(1, "client", "/127.0.0.1"), heartbeat);
        Assert.Equal((ErrorCode.None, heartbeat.MemberId), ((ErrorCode)beat.ErrorCode, beat.MemberId));
        Assert.Equal(heartbeat.MemberId, (await Groups.DescribeConsumersAsync(["consumer"])).Single().Members.Single().MemberId);
    }

    [Fact]
    public async Task A_coordinator_that_does_not_answer_is_not_available()
    {
        _rig.Wire.IsDead = true;
        Assert.Equal(ErrorCode.CoordinatorNotAvailable, (ErrorCode)(await Groups.HeartbeatAsync(Client, new HeartbeatRequest { GroupId = "g" })).ErrorCode);
        var committed = await await Groups.BeginCommitAsync(Client, Commit(1));
        Assert.Equal(ErrorCode.CoordinatorNotAvailable, (ErrorCode)committed.Topics[0].Partitions[0].ErrorCode);
        Assert.Equal(ErrorCode.CoordinatorNotAvailable, (ErrorCode)(await Groups.ListAsync(new ListGroupsRequest(), CancellationToken.None)).ErrorCode);
        Assert.Equal(ErrorCode.CoordinatorNotAvailable, (ErrorCode)(await Groups.DescribeAsync(Client, ["g"])).Single().ErrorCode);
        _rig.Wire.IsDead = false;
        committed = await await Groups.BeginCommitAsync(Client, Commit(2));
        Assert.Equal(0, committed.Topics[0].Partitions[0].ErrorCode);
    }
}
