using System.Text;
using OrleansStream.Protocol;
using OrleansStream.Protocol.Messages;

namespace OrleansStream.Broker.Tests.Groups;

public sealed class ClassicGroupTests
{
    private static string Text(byte[] bytes) => Encoding.UTF8.GetString(bytes);

    [Fact]
    public async Task Two_members_join_share_what_the_leader_says_and_one_gets_all_when_the_other_leaves()
    {
        await using var rig = await GroupRig.StartAsync();
        var (one, joiningOne) = await rig.EnterAsync("g");
        var (two, joiningTwo) = await rig.EnterAsync("g");
        Assert.Equal("PreparingRebalance", await rig.StateAsync("g"));
        rig.Advance(3000);
        Assert.False(joiningOne.IsCompleted);
        // Somebody came during the delay: it is prolonged once.
        await rig.SettleAsync();
        rig.Advance(3000);
        var (leader, follower) = (await joiningOne, await joiningTwo);
        Assert.Equal((1, one, "range"), (leader.GenerationId, leader.Leader, leader.ProtocolName));
        Assert.Equal([one, two], leader.Members.Select(m => m.MemberId));
        Assert.Equal("about range", Text(leader.Members[1].Metadata));
        Assert.Empty(follower.Members);
        Assert.Equal("CompletingRebalance", await rig.StateAsync("g"));
        Assert.Equal(ErrorCode.RebalanceInProgress, await rig.CommitAsync("g", 0, 1, one, 1));

        var waiting = rig.SyncAsync("g", two, 1);
        await rig.SettleAsync();
        Assert.False(waiting.IsCompleted);
        Assert.Equal("0-4", Text((await rig.SyncAsync("g", one, 1, (one, "0-4"), (two, "5-9"))).Assignment));
        Assert.Equal("5-9", Text((await waiting).Assignment));
        Assert.Equal("Stable", await rig.StateAsync("g"));
        Assert.Equal(ErrorCode.None, await rig.HeartbeatAsync("g", two, 1));
        Assert.Equal(ErrorCode.None, await rig.CommitAsync("g", 0, 1, one, 1));
        Assert.Equal(ErrorCode.IllegalGeneration, await rig.CommitAsync("g", 0, 1, one, 0));

        Assert.Equal(ErrorCode.None, await rig.LeaveAsync("g", two));
        Assert.Equal(ErrorCode.RebalanceInProgress, await rig.HeartbeatAsync("g", one, 1));
        var again = await rig.JoinAsync("g", one);
        Assert.Equal((2, one), (again.GenerationId, again.Leader));
        Assert.Equal(ErrorCode.IllegalGeneration, await rig.HeartbeatAsync("g", one, 1));
        Assert.Equal("all", Text((await rig.SyncAsync("g", one, 2, (one, "all"))).Assignment));
        Assert.Equal(ErrorCode.UnknownMemberId, await rig.HeartbeatAsync("g", two, 1));
    }

    [Fact]
    public async Task A_stable_group_survives_a_crash_of_its_coordinator()
    {
        await using var rig = await GroupRig.StartAsync();
        var id = await rig.StableAsync("g");
        await rig.RestartAsync();
        Assert.Equal(ErrorCode.None, await rig.HeartbeatAsync("g", id, 1));
        Assert.Equal("all", Text((await rig.SyncAsync("g", id, 1)).Assignment));
        Assert.Equal(ErrorCode.None, await rig.CommitAsync("g", 0, 9, id, 1));
        var described = (await rig.Groups.DescribeAsync(GroupRig.Client(6), ["g"]))[0];
        Assert.Equal(("Stable", "consumer", "range"), (described.GroupState, described.ProtocolType, described.ProtocolData));
        Assert.Equal((id, "client", "/127.0.0.1"), (described.Members[0].MemberId, described.Members[0].ClientId, described.Members[0].ClientHost));
    }

    [Fact]
    public async Task Who_is_silent_is_removed_and_the_empty_group_stays_so_after_a_crash()
    {
        await using var rig = await GroupRig.StartAsync();
        var id = await rig.StableAsync("g");
        rig.Advance(6000);
        Assert.Equal(ErrorCode.None, await rig.HeartbeatAsync("g", id, 1));
        rig.Advance(6000);
        Assert.Equal(ErrorCode.None, await rig.HeartbeatAsync("g", id, 1));
        rig.Advance(10_001);
        // The time-out takes its own turn in the shard, before or after that of the first look.
        await rig.Rig.UntilAsync(() => rig.StateAsync("g").Result == "Empty");
        Assert.Equal(ErrorCode.UnknownMemberId, await rig.HeartbeatAsync("g", id, 1));
        await rig.RestartAsync();
        Assert.Equal("Empty", await rig.StateAsync("g"));
        Assert.Equal(ErrorCode.UnknownMemberId, (ErrorCode)(await rig.JoinAsync("g", id)).ErrorCode);
    }

    [Fact]
    public async Task Who_does_not_come_back_for_a_rebalance_is_left_out_and_an_id_not_used_holds_nobody_up_for_ever()
    {
        await using var rig = await GroupRig.StartAsync();
        var old = await rig.StableAsync("g", sessionMs: 120_000);
        var (id, joining) = await rig.EnterAsync("g", sessionMs: 120_000);
        await rig.JoinAsync("g");
        rig.Advance(59_000);
        await rig.SettleAsync();
        Assert.False(joining.IsCompleted);
        rig.Advance(2000);
        var joined = await joining;
        Assert.Equal((2, id), (joined.GenerationId, joined.Leader));
        Assert.Equal(ErrorCode.UnknownMemberId, await rig.HeartbeatAsync("g", old, 1));
    }

    [Fact]
    public async Task Members_that_never_ask_for_their_assignment_are_removed()
    {
        await using var rig = await GroupRig.StartAsync();
        var (_, joining) = await rig.EnterAsync("g", sessionMs: 120_000);
        rig.Advance(3000);
        await joining;
        rig.Advance(61_000);
        Assert.Equal("Empty", await rig.StateAsync("g"));
    }

    [Fact]
    public async Task The_protocol_is_what_all_speak_and_most_like_and_strangers_are_refused()
    {
        await using var rig = await GroupRig.StartAsync();
        var (_, one) = await rig.EnterAsync("g", ["a", "b", "c"]);
        var (_, two) = await rig.EnterAsync("g", ["c", "b"]);
        var (_, three) = await rig.EnterAsync("g", ["c", "b", "x"]);
        foreach (var strange in new[] { rig.JoinAsync("g", protocols: ["a"]), rig.JoinAsync("g", type: "connect"), rig.JoinAsync("new", type: "") })
            Assert.Equal(ErrorCode.InconsistentGroupProtocol, (ErrorCode)(await strange).ErrorCode);
        for (var i = 0; i < 3; i++)
        {
            rig.Advance(3000);
            await rig.SettleAsync();
        }
        Assert.All(await Task.WhenAll(one, two, three), r => Assert.Equal("c", r.ProtocolName));
        Assert.Equal("Dead", await rig.StateAsync("new"));
    }

    [Fact]
    public async Task A_static_member_comes_back_to_its_assignment_without_a_rebalance_and_its_double_is_fenced()
    {
        await using var rig = await GroupRig.StartAsync();
        var joining = rig.JoinAsync("g", instance: "i");
        await rig.SettleAsync();
        rig.Advance(3000);
        var first = await joining;
        Assert.Equal(0, (await rig.SyncAsync("g", first.MemberId, 1, (first.MemberId, "all"))).ErrorCode);

        var second = await rig.JoinAsync("g", instance: "i");
        Assert.Equal((0, 1, second.MemberId, true), (second.ErrorCode, second.GenerationId, second.Leader, second.SkipAssignment));
        Assert.NotEqual(first.MemberId, second.MemberId);
        Assert.Equal("all", Text((await rig.SyncAsync("g", second.MemberId, 1)).Assignment));
        Assert.Equal(ErrorCode.FencedInstanceId, await rig.HeartbeatAsync("g", first.MemberId, 1, "i"));
        Assert.Equal(ErrorCode.UnknownMemberId, await rig.HeartbeatAsync("g", first.MemberId, 1));
        Assert.Equal(ErrorCode.UnknownMemberId, await rig.HeartbeatAsync("g", second.MemberId, 1, "other"));
        await rig.RestartAsync();
        Assert.Equal(ErrorCode.None, await rig.HeartbeatAsync("g", second.MemberId, 1, "i"));
        Assert.Equal(ErrorCode.None, await rig.LeaveAsync("g", "", "i"));
        Assert.Equal("Empty", await rig.StateAsync("g"));
    }

    [Fact]
    public async Task A_group_takes_no_more_members_than_group_max_size()
    {
        await using var rig = await GroupRig.StartAsync("group.max.size=1");
        var id = await rig.StableAsync("g");
        var refused = await rig.JoinAsync("g");
        Assert.Equal((ErrorCode.GroupMaxSizeReached, ""), ((ErrorCode)refused.ErrorCode, refused.MemberId));
        Assert.Equal(ErrorCode.None, await rig.HeartbeatAsync("g", id, 1));
    }

    [Fact]
    public async Task Groups_are_listed_by_state_and_type_and_deleted_when_empty()
    {
        await using var rig = await GroupRig.StartAsync();
        var id = await rig.StableAsync("busy");
        await rig.CommitAsync("idle", 0, 1);
        async Task<string> ListAsync(string[] states, string[] types)
        {
            var request = new ListGroupsRequest();
            request.StatesFilter.AddRange(states);
            request.TypesFilter.AddRange(types);
            return string.Join(' ', (await rig.Groups.ListAsync(request, CancellationToken.None)).Groups.Select(g => g.GroupId).Order(StringComparer.Ordinal));
        }
        Assert.Equal("busy idle", await ListAsync([], []));
        Assert.Equal("busy", await ListAsync(["stable"], ["Classic"]));
        Assert.Equal("idle", await ListAsync(["Empty"], []));
        Assert.Equal("", await ListAsync([], ["consumer"]));
        var all = await rig.Groups.ListAsync(new ListGroupsRequest(), CancellationToken.None);
        Assert.Equal([("idle", "", "Empty", "classic"), ("busy", "consumer", "Stable", "classic")], all.Groups.Select(g => (g.GroupId, g.ProtocolType, g.GroupState, g.GroupType)));
        var deleted = await rig.Groups.DeleteAsync(["busy", "idle", "nobody"]);
        Assert.Equal([ErrorCode.NonEmptyGroup, ErrorCode.None, ErrorCode.GroupIdNotFound], deleted.Select(d => (ErrorCode)d.ErrorCode));
        Assert.Equal("busy", await ListAsync([], []));
        await rig.RestartAsync();
        Assert.Equal("busy", await ListAsync([], []));
        Assert.Equal(-1, await rig.FetchAsync("idle"));
        Assert.Equal(ErrorCode.None, await rig.HeartbeatAsync("busy", id, 1));
    }
}
