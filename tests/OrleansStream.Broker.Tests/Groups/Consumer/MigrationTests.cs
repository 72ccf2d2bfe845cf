using System.Buffers;
using OrleansStream.Broker.Groups;
using OrleansStream.Protocol;
using OrleansStream.Protocol.Messages;

namespace OrleansStream.Broker.Tests.Groups.Consumer;

/// <summary>Groups that change their protocol while they have members, and members of both protocols in one group.</summary>
public sealed class MigrationTests
{
    private static byte[] Subscription(params int[] owned)
    {
        var subscription = new ConsumerProtocolSubscription { Topics = { "t" } };
        if (owned.Length > 0)
            subscription.OwnedPartitions.Add(new() { Topic = "t", Partitions = owned });
        return Bytes(w => subscription.Write(w, 3), 3);
    }

    private static byte[] Assignment(params int[] partitions)
    {
        var assignment = new ConsumerProtocolAssignment();
        assignment.AssignedPartitions.Add(new() { Topic = "t", Partitions = partitions });
        return Bytes(w => assignment.Write(w, 3), 3);
    }

    private static byte[] Bytes(Action<KafkaWriter> write, short version)
    {
        using var writer = new KafkaWriter();
        writer.WriteInt16(version);
        write(writer);
        var bytes = new ArrayBufferWriter<byte>();
        writer.CopyTo(bytes);
        return bytes.WrittenSpan.ToArray();
    }

    private static int[] Assigned(SyncGroupResponse response)
    {
        Assert.Equal(0, response.ErrorCode);
        var reader = new KafkaReader(response.Assignment);
        reader.ReadInt16();
        return [.. ConsumerProtocolAssignment.Read(ref reader, 3).AssignedPartitions.SelectMany(t => t.Partitions).Order()];
    }

    private static async Task<JoinGroupResponse> JoinAsync(ConsumerRig rig, string member, string? instance = null, params int[] owned)
    {
        var request = new JoinGroupRequest
        {
            GroupId = "g", MemberId = member, GroupInstanceId = instance, ProtocolType = "consumer", SessionTimeoutMs = 10_000, RebalanceTimeoutMs = 30_000,
        };
        request.Protocols.Add(new() { Name = "cooperative-sticky", Metadata = Subscription(owned) });
        return await rig.Rig.Groups.JoinAsync(GroupRig.Client(), request);
    }

    /// <summary>A classic group of one member that has everything.</summary>
    private static async Task<string> ClassicAsync(ConsumerRig rig, string? instance = null)
    {
        var id = instance is null ? (await JoinAsync(rig, "")).MemberId : "";
        var joining = JoinAsync(rig, id, instance);
        await rig.Rig.SettleAsync();
        rig.Advance(3000);
        var joined = await joining;
        Assert.Equal((0, 1), (joined.ErrorCode, joined.GenerationId));
        var sync = new SyncGroupRequest { GroupId = "g", MemberId = joined.MemberId, GenerationId = 1, GroupInstanceId = instance };
        sync.Assignments.Add(new() { MemberId = joined.MemberId, Assignment = Assignment(0, 1, 2, 3, 4, 5, 6, 7, 8, 9) });
        Assert.Equal(0, (await rig.Rig.Groups.SyncAsync(GroupRig.Client(5), sync)).ErrorCode);
        return joined.MemberId;
    }

    [Fact]
    public async Task The_first_member_of_the_new_protocol_takes_the_group_along_and_the_last_one_gives_it_back()
    {
        await using var rig = await ConsumerRig.StartAsync();
        var classic = await ClassicAsync(rig);
        Assert.Equal(ErrorCode.None, await rig.Rig.CommitAsync("g", 0, 42, classic, 1));
        var b = await rig.JoinAsync("b");
        Assert.Equal((ErrorCode.None, 2, 0), (b.LastError, b.Epoch, b.Owned.Count));
        var described = await rig.DescribeAsync();
        Assert.Equal(["0", "1"], described.Members.Select(m => m.MemberType.ToString(System.Globalization.CultureInfo.InvariantCulture)).Order());
        Assert.Equal(42, await rig.Rig.FetchAsync("g"));

        // The classic member hears of it by its heartbeat, and joins until it has given up five.
        Assert.Equal(ErrorCode.RebalanceInProgress, await rig.Rig.HeartbeatAsync("g", classic, 1));
        Assert.Equal(ErrorCode.None, await rig.Rig.CommitAsync("g", 0, 43, classic, 1));
        var joined = await JoinAsync(rig, classic, null, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9);
        Assert.Equal((0, 1, "cooperative-sticky"), (joined.ErrorCode, joined.GenerationId, joined.ProtocolName));
        var kept = Assigned(await rig.Rig.SyncAsync("g", classic, 1));
        Assert.Equal(5, kept.Length);
        Assert.Equal(ErrorCode.RebalanceInProgress, await rig.Rig.HeartbeatAsync("g", classic, 1));
        joined = await JoinAsync(rig, classic, null, kept);
        Assert.Equal((0, 2), (joined.ErrorCode, joined.GenerationId));
        Assert.Equal(kept, Assigned(await rig.Rig.SyncAsync("g", classic, 2)));
        Assert.Equal(ErrorCode.None, await rig.Rig.HeartbeatAsync("g", classic, 2));
        await b.BeatAsync();
        Assert.Equal((5, "Stable"), (b.Owned.Count, await rig.StateAsync()));
        Assert.Equal(ErrorCode.IllegalGeneration, await rig.Rig.HeartbeatAsync("g", classic, 1));

        // A crash in between changes nothing.
        await rig.Rig.RestartAsync("group.consumer.assignment.interval.ms=0");
        Assert.Equal(ErrorCode.None, await rig.Rig.HeartbeatAsync("g", classic, 2));
        Assert.Equal("Stable", await rig.StateAsync());

        Assert.Equal(ErrorCode.None, await b.LeaveAsync());
        Assert.Equal("PreparingRebalance", await rig.Rig.StateAsync("g"));
        Assert.Equal(ErrorCode.RebalanceInProgress, await rig.Rig.HeartbeatAsync("g", classic, 2));
        Assert.Equal(43, await rig.Rig.FetchAsync("g"));
        joined = await JoinAsync(rig, classic);
        Assert.Equal((0, 3, classic), (joined.ErrorCode, joined.GenerationId, joined.Leader));
    }

    [Fact]
    public async Task A_classic_member_that_does_not_follow_is_removed()
    {
        await using var rig = await ConsumerRig.StartAsync("group.consumer.migration.policy=upgrade");
        var classic = await ClassicAsync(rig);
        var b = await rig.JoinAsync("b");
        for (var second = 0; second < 35; second += 5)
        {
            await rig.Rig.HeartbeatAsync("g", classic, 1);
            await b.BeatAsync();
            rig.Advance(5000);
        }
        Assert.Equal(ErrorCode.UnknownMemberId, await rig.Rig.HeartbeatAsync("g", classic, 1));
        await b.BeatAsync();
        Assert.Equal(10, b.Owned.Count);
        Assert.Equal(ErrorCode.UnknownMemberId, await rig.Rig.HeartbeatAsync("g", "b", b.Epoch));
    }

    [Fact]
    public async Task The_policy_decides()
    {
        await using var rig = await ConsumerRig.StartAsync("group.consumer.migration.policy=disabled");
        await ClassicAsync(rig);
        var b = await rig.JoinAsync("b");
        Assert.Equal(
            (ErrorCode.GroupIdNotFound, "Cannot upgrade classic group g to consumer group because online upgrade is disabled."), (b.LastError, b.LastMessage));
        var other = ConsumerRig.Joining("c");
        other.GroupId = "h";
        Assert.Equal(0, (await rig.SendAsync(other)).ErrorCode);
        Assert.Equal(ErrorCode.InconsistentGroupProtocol, (ErrorCode)(await rig.Rig.JoinAsync("h")).ErrorCode);
    }

    [Fact]
    public async Task A_group_that_says_something_else_stays_classic()
    {
        await using var rig = await ConsumerRig.StartAsync();
        await rig.Rig.StableAsync("g"); // its metadata is no subscription
        var b = await rig.JoinAsync("b");
        Assert.Equal(
            (ErrorCode.GroupIdNotFound, "Cannot upgrade classic group g to consumer group because the embedded consumer protocol is malformed."),
            (b.LastError, b.LastMessage));
        Assert.Equal("Stable", await rig.Rig.StateAsync("g"));
    }

    [Fact]
    public async Task Empty_groups_become_what_their_next_member_speaks()
    {
        await using var rig = await ConsumerRig.StartAsync();
        Assert.Equal(ErrorCode.None, await rig.Rig.CommitAsync("g", 0, 5));
        var a = await rig.JoinAsync("a");
        Assert.Equal((ErrorCode.None, 2), (a.LastError, a.Epoch));
        Assert.Equal(5, await rig.Rig.FetchAsync("g"));
        await a.LeaveAsync();
        var classic = await ClassicAsync(rig);
        Assert.Equal(5, await rig.Rig.FetchAsync("g"));
        Assert.Equal(ErrorCode.GroupIdNotFound, (ErrorCode)(await rig.DescribeAsync()).ErrorCode);
        await rig.Rig.LeaveAsync("g", classic);
        Assert.Equal(ErrorCode.None, (await rig.JoinAsync("a")).LastError);
        Assert.Equal(5, await rig.Rig.FetchAsync("g"));
    }

    [Fact]
    public async Task A_classic_member_joins_a_consumer_group_and_leaves_it()
    {
        await using var rig = await ConsumerRig.StartAsync();
        var a = await rig.JoinAsync("a");
        var asked = await JoinAsync(rig, "");
        Assert.Equal(ErrorCode.MemberIdRequired, (ErrorCode)asked.ErrorCode);
        var joined = await JoinAsync(rig, asked.MemberId);
        Assert.Equal((0, 3), (joined.ErrorCode, joined.GenerationId));
        Assert.Empty(Assigned(await rig.Rig.SyncAsync("g", asked.MemberId, 3)));
        Assert.Equal(ErrorCode.None, await rig.Rig.HeartbeatAsync("g", asked.MemberId, 3)); // the other has not given anything up yet
        await ConsumerRig.SettleAsync(a);
        Assert.Equal(ErrorCode.RebalanceInProgress, await rig.Rig.HeartbeatAsync("g", asked.MemberId, 3));
        await JoinAsync(rig, asked.MemberId);
        Assert.Equal(5, Assigned(await rig.Rig.SyncAsync("g", asked.MemberId, 3)).Length);
        Assert.Equal(ErrorCode.None, await rig.Rig.LeaveAsync("g", asked.MemberId));
        Assert.Equal(ErrorCode.UnknownMemberId, await rig.Rig.LeaveAsync("g", asked.MemberId));
        await a.BeatAsync();
        Assert.Equal(10, a.Owned.Count);
    }

    [Fact]
    public async Task A_refused_join_of_a_consumer_group_is_answered_without_a_member_id()
    {
        await using var rig = await ConsumerRig.StartAsync();
        await rig.JoinAsync("a");
        var refused = await rig.Rig.JoinAsync("g", "somebody", type: "connect");
        Assert.Equal((ErrorCode.InconsistentGroupProtocol, ""), ((ErrorCode)refused.ErrorCode, refused.MemberId));
        refused = await JoinAsync(rig, "somebody", "nobody's");
        Assert.Equal((ErrorCode.UnknownMemberId, ""), ((ErrorCode)refused.ErrorCode, refused.MemberId));
        // A classic group says whom it means.
        refused = await rig.Rig.JoinAsync("classic", "somebody");
        Assert.Equal((ErrorCode.UnknownMemberId, "somebody"), ((ErrorCode)refused.ErrorCode, refused.MemberId));
    }

    [Fact]
    public async Task A_static_member_changes_its_protocol_and_back()
    {
        await using var rig = await ConsumerRig.StartAsync();
        var old = await ClassicAsync(rig, "i1");
        var a = new MemberClient(rig, "a");
        var request = ConsumerRig.Joining("a");
        request.InstanceId = "i1";
        Assert.Equal(ErrorCode.None, await a.JoinAsync(request));
        await a.BeatAsync();
        Assert.Equal(10, a.Owned.Count);
        Assert.Equal(ErrorCode.FencedInstanceId, await rig.Rig.HeartbeatAsync("g", old, 1, "i1"));
        var joined = await JoinAsync(rig, "", "i1");
        Assert.Equal(0, joined.ErrorCode);
        Assert.Equal("Stable", await rig.Rig.StateAsync("g"));
        var sync = new SyncGroupRequest { GroupId = "g", MemberId = joined.MemberId, GenerationId = joined.GenerationId, GroupInstanceId = "i1" };
        Assert.Equal(10, Assigned(await rig.Rig.Groups.SyncAsync(GroupRig.Client(5), sync)).Length);
    }
}
