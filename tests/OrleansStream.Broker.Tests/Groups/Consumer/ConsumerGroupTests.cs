using System.Globalization;
using OrleansStream.Broker.Groups;
using OrleansStream.Broker.Tests.Engine;
using OrleansStream.Protocol;
using OrleansStream.Protocol.Messages;

namespace OrleansStream.Broker.Tests.Groups.Consumer;

/// <summary>Groups of the consumer protocol (KIP-848) over a real partition, with a clock that a test moves.</summary>
public sealed class ConsumerGroupTests
{
    [Fact]
    public async Task The_first_member_gets_everything_and_a_second_one_half_of_it()
    {
        await using var rig = await ConsumerRig.StartAsync();
        var a = await rig.JoinAsync("a");
        Assert.Equal((2, "0,1,2,3,4,5,6,7,8,9"), (a.Epoch, a.Partitions));
        Assert.Equal("Stable", await rig.StateAsync());

        var b = await rig.JoinAsync("b");
        Assert.Equal((3, ""), (b.Epoch, b.Partitions));
        Assert.Equal("Reconciling", await rig.StateAsync());
        await a.BeatAsync();
        Assert.Equal(2, a.Epoch); // it has to give up five first
        Assert.Equal(5, a.Owned.Count);
        await b.BeatAsync();
        Assert.Empty(b.Owned);
        await a.BeatAsync();
        Assert.Equal(3, a.Epoch);
        await b.BeatAsync();
        Assert.Equal((3, 5), (b.Epoch, b.Owned.Count));
        Assert.Equal("Stable", await rig.StateAsync());
        Assert.Equal(10, a.Owned.Concat(b.Owned).Distinct().Count());
    }

    [Fact]
    public async Task Who_leaves_leaves_everything_to_the_others_and_the_last_one_an_empty_group()
    {
        await using var rig = await ConsumerRig.StartAsync();
        var (a, b) = (await rig.JoinAsync("a"), await rig.JoinAsync("b"));
        await ConsumerRig.SettleAsync(a, b);
        Assert.Equal(ErrorCode.None, await a.LeaveAsync());
        Assert.Equal("Assigning", await rig.StateAsync());
        await b.BeatAsync();
        Assert.Equal("0,1,2,3,4,5,6,7,8,9", b.Partitions);
        Assert.Equal(ErrorCode.UnknownMemberId, await a.BeatAsync());
        await b.LeaveAsync();
        Assert.Equal("Empty", await rig.StateAsync());
        Assert.Equal(ErrorCode.None, (ErrorCode)(await rig.Rig.Groups.DeleteAsync(["g"]))[0].ErrorCode);
        Assert.Equal(ErrorCode.GroupIdNotFound, (ErrorCode)(await rig.DescribeAsync()).ErrorCode);
    }

    [Fact]
    public async Task Everything_is_there_again_after_a_crash()
    {
        await using var rig = await ConsumerRig.StartAsync();
        var (a, b) = (await rig.JoinAsync("a"), await rig.JoinAsync("b"));
        await ConsumerRig.SettleAsync(a, b);
        var c = await rig.JoinAsync("c");
        await a.BeatAsync(); // revokes
        var before = await rig.DescribeAsync();
        await rig.Rig.RestartAsync("group.consumer.assignment.interval.ms=0");
        var after = await rig.DescribeAsync();
        Assert.Equal(Show(before), Show(after));
        Assert.Equal("Reconciling", after.GroupState);
        await ConsumerRig.SettleAsync(a, b, c);
        Assert.Equal("Stable", await rig.StateAsync());
        Assert.Equal([3, 3, 4], new[] { a, b, c }.Select(m => m.Owned.Count).Order());
    }

    private static string Show(ConsumerGroupDescribeResponse.DescribedGroup group) => string.Create(CultureInfo.InvariantCulture,
        $"{group.GroupState} {group.GroupEpoch} {group.AssignmentEpoch} {group.AssignorName} ")
        + string.Join("; ", group.Members.OrderBy(m => m.MemberId, StringComparer.Ordinal).Select(m =>
            $"{m.MemberId} {m.MemberEpoch} {m.MemberType} {string.Join(",", m.SubscribedTopicNames)} {m.SubscribedTopicRegex} {Show(m.Assignment)} -> {Show(m.TargetAssignment)}"));

    private static string Show(ConsumerGroupDescribeResponse.AssignmentData assignment) =>
        string.Join(" ", assignment.TopicPartitions.OrderBy(t => t.TopicName, StringComparer.Ordinal).Select(t => $"{t.TopicName}:{string.Join(",", t.Partitions)}"));

    [Fact]
    public async Task A_member_that_falls_silent_is_removed_after_its_session()
    {
        await using var rig = await ConsumerRig.StartAsync();
        var (a, b) = (await rig.JoinAsync("a"), await rig.JoinAsync("b"));
        await ConsumerRig.SettleAsync(a, b);
        rig.Advance(44_000);
        await b.BeatAsync();
        rig.Advance(2_000);
        await ConsumerRig.SettleAsync(b);
        Assert.Equal(10, b.Owned.Count);
        Assert.Equal(ErrorCode.UnknownMemberId, await a.BeatAsync());
    }

    [Fact]
    public async Task A_member_that_does_not_revoke_is_removed_after_its_rebalance_timeout()
    {
        await using var rig = await ConsumerRig.StartAsync("group.consumer.session.timeout.ms=60000");
        var a = await rig.JoinAsync("a");
        var b = await rig.JoinAsync("b");
        var stubborn = a.Owned.ToList();
        for (var second = 0; second < 59; second++)
        {
            await a.BeatAsync();
            a.Owned.Clear();
            a.Owned.AddRange(stubborn);
            await b.BeatAsync();
            rig.Advance(1000);
        }
        Assert.Empty(b.Owned);
        rig.Advance(2000);
        await b.BeatAsync();
        Assert.Equal(10, b.Owned.Count);
        Assert.Equal(ErrorCode.UnknownMemberId, await a.BeatAsync());
    }

    [Fact]
    public async Task Epochs_that_are_not_the_members_are_fenced_except_where_an_answer_was_lost()
    {
        await using var rig = await ConsumerRig.StartAsync();
        var a = await rig.JoinAsync("a");
        Assert.Equal(ErrorCode.FencedMemberEpoch, await a.BeatAsync(r => r.MemberEpoch = 5));
        var b = await rig.JoinAsync("b");
        await ConsumerRig.SettleAsync(a, b);
        Assert.Equal(3, a.Epoch);
        Assert.Equal(ErrorCode.None, await a.BeatAsync(r => r.MemberEpoch = 2));
        Assert.Equal(ErrorCode.FencedMemberEpoch, await a.BeatAsync(r => (r.MemberEpoch, r.TopicPartitions) = (2, null)));
        Assert.Equal(ErrorCode.UnknownMemberId, await a.BeatAsync(r => r.MemberId = "x"));
        Assert.Equal(ErrorCode.GroupIdNotFound, await a.BeatAsync(r => r.GroupId = "nowhere"));
        // From the start again: it is told what it has.
        Assert.Equal(ErrorCode.None, await a.JoinAsync(ConsumerRig.Joining("a")));
        Assert.Equal((3, 5), (a.Epoch, a.Owned.Count));
    }

    [Fact]
    public async Task Requests_that_make_no_sense_get_Kafkas_sentences()
    {
        await using var rig = await ConsumerRig.StartAsync();
        await AssertRefusedAsync(rig, r => r.MemberId = "", "InvalidRequest: MemberId can't be empty.");
        await AssertRefusedAsync(rig, r => r.GroupId = " ", "InvalidRequest: GroupId can't be empty.");
        await AssertRefusedAsync(rig, r => r.InstanceId = "", "InvalidRequest: InstanceId can't be empty.");
        await AssertRefusedAsync(rig, r => r.RackId = "", "InvalidRequest: RackId can't be empty.");
        await AssertRefusedAsync(rig, r => r.RebalanceTimeoutMs = -1, "InvalidRequest: RebalanceTimeoutMs must be provided in first request.");
        await AssertRefusedAsync(rig, r => r.TopicPartitions = null, "InvalidRequest: TopicPartitions must be empty when (re-)joining.");
        await AssertRefusedAsync(
            rig, r => r.SubscribedTopicNames = null, "InvalidRequest: Either SubscribedTopicNames or SubscribedTopicRegex must be non-null when (re-)joining.");
        await AssertRefusedAsync(rig, r => r.MemberEpoch = -2, "InvalidRequest: InstanceId can't be null.");
        await AssertRefusedAsync(rig, r => r.MemberEpoch = -3, "InvalidRequest: MemberEpoch is invalid.");
        await AssertRefusedAsync(
            rig, r => r.ServerAssignor = "sticky", "UnsupportedAssignor: ServerAssignor sticky is not supported. Supported assignors: uniform, range.");
        await AssertRefusedAsync(rig, r => r.MemberEpoch = -1, "GroupIdNotFound: Group g not found.");
        Assert.Equal(ErrorCode.GroupIdNotFound, (ErrorCode)(await rig.DescribeAsync()).ErrorCode);
    }

    private static async Task AssertRefusedAsync(ConsumerRig rig, Action<ConsumerGroupHeartbeatRequest> change, string expected)
    {
        var request = ConsumerRig.Joining("a");
        change(request);
        var response = await rig.SendAsync(request);
        Assert.Equal(expected, $"{(ErrorCode)response.ErrorCode}: {response.ErrorMessage}");
    }

    [Fact]
    public async Task Version_0_clients_are_given_an_id()
    {
        await using var rig = await ConsumerRig.StartAsync();
        var response = await rig.SendAsync(ConsumerRig.Joining(""), version: 0);
        Assert.Equal((0, 2), (response.ErrorCode, response.MemberEpoch));
        Assert.NotEmpty(response.MemberId!);
    }

    [Fact]
    public async Task A_full_group_takes_nobody_more()
    {
        await using var rig = await ConsumerRig.StartAsync("group.consumer.max.size=1");
        var a = await rig.JoinAsync("a");
        Assert.Equal(ErrorCode.GroupMaxSizeReached, (await rig.JoinAsync("b")).LastError);
        Assert.Equal(ErrorCode.None, await a.BeatAsync());
    }

    [Fact]
    public async Task A_static_member_comes_back_to_its_partitions_under_another_id()
    {
        await using var rig = await ConsumerRig.StartAsync();
        var (a, b) = (new MemberClient(rig, "a"), new MemberClient(rig, "b"));
        await a.JoinAsync(Static("a", "i1"));
        await b.JoinAsync(Static("b", "i2"));
        await ConsumerRig.SettleAsync(a, b);
        var had = a.Partitions;
        var epoch = (await rig.DescribeAsync()).GroupEpoch;

        var twin = new MemberClient(rig, "twin");
        Assert.Equal(ErrorCode.UnreleasedInstanceId, await twin.JoinAsync(Static("twin", "i1")));
        Assert.Equal(ErrorCode.None, await a.LeaveAsync(-2));
        Assert.Equal(ErrorCode.None, await b.BeatAsync());
        Assert.Equal(5, b.Owned.Count);
        var again = new MemberClient(rig, "a2");
        Assert.Equal(ErrorCode.None, await again.JoinAsync(Static("a2", "i1")));
        Assert.Equal((had, epoch), (again.Partitions, again.Epoch));
        Assert.Equal(epoch, (await rig.DescribeAsync()).GroupEpoch);
        Assert.Equal(ErrorCode.FencedInstanceId, await a.BeatAsync());
        Assert.Equal(ErrorCode.FencedInstanceId, await a.LeaveAsync());
        Assert.Equal(ErrorCode.UnknownMemberId, await again.BeatAsync(r => r.InstanceId = "i3"));
        // The same id comes back as well.
        await again.LeaveAsync(-2);
        Assert.Equal(ErrorCode.None, await again.JoinAsync(Static("a2", "i1")));
        Assert.Equal(had, again.Partitions);
        // One that stays away is removed.
        await again.LeaveAsync(-2);
        rig.Advance(30_000);
        await b.BeatAsync();
        rig.Advance(30_000);
        await ConsumerRig.SettleAsync(b);
        Assert.Equal(10, b.Owned.Count);
    }

    private static ConsumerGroupHeartbeatRequest Static(string member, string instance)
    {
        var request = ConsumerRig.Joining(member);
        request.InstanceId = instance;
        return request;
    }

    [Fact]
    public async Task A_topic_that_appears_grows_or_goes_is_assigned_anew()
    {
        await using var rig = await ConsumerRig.StartAsync();
        var a = await rig.JoinAsync("a", "t", "later");
        Assert.Equal(10, a.Owned.Count);
        await EngineRig.CreateAsync(rig.Rig.Engine, "later", 2);
        await a.BeatAsync();
        Assert.Equal(12, a.Owned.Count);
        await rig.Rig.Engine.Topics.AddPartitionsAsync("later", 4, null, false, CancellationToken.None);
        await a.BeatAsync();
        Assert.Equal((14, 4), (a.Owned.Count, a.Epoch));
        await rig.Rig.Engine.Topics.DeleteAsync(rig.Rig.Engine.Cluster.TopicsByName["later"], CancellationToken.None);
        await ConsumerRig.SettleAsync(a);
        Assert.Equal(("0,1,2,3,4,5,6,7,8,9", 5), (a.Partitions, a.Epoch));
    }

    [Fact]
    public async Task Regular_expressions_follow_the_topics_there_are()
    {
        await using var rig = await ConsumerRig.StartAsync();
        var a = new MemberClient(rig, "a");
        var request = ConsumerRig.Joining("a");
        (request.SubscribedTopicNames, request.SubscribedTopicRegex) = (null, "(");
        Assert.Equal(ErrorCode.InvalidRegularExpression, await a.JoinAsync(request));
        Assert.Equal(ErrorCode.GroupIdNotFound, (ErrorCode)(await rig.DescribeAsync()).ErrorCode);
        request.SubscribedTopicRegex = "t.*";
        Assert.Equal(ErrorCode.None, await a.JoinAsync(request));
        Assert.Equal(10, a.Owned.Count);
        await EngineRig.CreateAsync(rig.Rig.Engine, "t2", 2);
        await EngineRig.CreateAsync(rig.Rig.Engine, "other", 2);
        rig.Advance(1000);
        await a.BeatAsync();
        Assert.Equal(12, a.Owned.Count);
        // Another one with the same expression, and back to a name.
        var b = new MemberClient(rig, "b");
        var second = ConsumerRig.Joining("b");
        (second.SubscribedTopicNames, second.SubscribedTopicRegex) = ([], "t.*");
        await b.JoinAsync(second);
        await ConsumerRig.SettleAsync(a, b);
        Assert.Equal((6, 6), (a.Owned.Count, b.Owned.Count));
        await a.BeatAsync(r => (r.SubscribedTopicNames, r.SubscribedTopicRegex) = (["other"], ""));
        await ConsumerRig.SettleAsync(a, b);
        Assert.Equal((2, 12), (a.Owned.Count, b.Owned.Count));
        await b.LeaveAsync();
        await rig.Rig.RestartAsync("group.consumer.assignment.interval.ms=0");
        await ConsumerRig.SettleAsync(a);
        Assert.Equal(2, a.Owned.Count);
    }

    [Fact]
    public async Task An_expression_that_matches_nothing_is_no_reason_for_another_epoch()
    {
        await using var rig = await ConsumerRig.StartAsync();
        var a = new MemberClient(rig, "a");
        var request = ConsumerRig.Joining("a");
        (request.SubscribedTopicNames, request.SubscribedTopicRegex) = (null, "foo*");
        Assert.Equal(ErrorCode.None, await a.JoinAsync(request));
        Assert.Equal((1, 0), (a.Epoch, a.Owned.Count));
        // Nor is another one that matches nothing either.
        await a.BeatAsync(r => r.SubscribedTopicRegex = "foo+");
        Assert.Equal((1, 0), (a.Epoch, a.Owned.Count));
        await EngineRig.CreateAsync(rig.Rig.Engine, "foo", 3);
        rig.Advance(1000);
        await a.BeatAsync();
        Assert.Equal((2, 3), (a.Epoch, a.Owned.Count));
        // Everything that it read is no longer wanted: what is taken away is given up first.
        await a.BeatAsync(r => r.SubscribedTopicRegex = "bar");
        Assert.Equal((2, 0), (a.Epoch, a.Owned.Count));
        await a.BeatAsync();
        Assert.Equal(3, a.Epoch);
    }

    [Fact]
    public async Task Members_and_groups_have_an_order_of_their_own()
    {
        await using var rig = await ConsumerRig.StartAsync();
        foreach (var member in (string[])["member-1", "member-3", "member-2"])
            await rig.JoinAsync(member);
        Assert.Equal(["member-3", "member-2", "member-1"], (await rig.DescribeAsync()).Members.Select(m => m.MemberId));
        Assert.Equal(ErrorCode.None, await rig.Rig.CommitAsync("h", 0, 1));
        Assert.Equal(ErrorCode.None, await rig.Rig.CommitAsync("a", 0, 1));
        Assert.Equal(["h", "g", "a"], (await rig.Rig.Groups.ListAsync(new ListGroupsRequest(), CancellationToken.None)).Groups.Select(g => g.GroupId));
    }

    [Fact]
    public async Task Commits_carry_the_members_epoch()
    {
        await using var rig = await ConsumerRig.StartAsync();
        var (a, b) = (await rig.JoinAsync("a"), await rig.JoinAsync("b"));
        await ConsumerRig.SettleAsync(a, b);
        var mine = a.Owned[0].Partition;
        var theirs = b.Owned[0].Partition;
        Assert.Equal(ErrorCode.None, await rig.Rig.CommitAsync("g", mine, 7, "a", 3));
        Assert.Equal(ErrorCode.None, await rig.Rig.CommitAsync("g", theirs, 7, "a", 3)); // Kafka looks no closer either
        Assert.Equal(ErrorCode.None, await rig.Rig.CommitAsync("g", mine, 8, "a", 2)); // sent before it moved on, of what it kept
        Assert.Equal(ErrorCode.StaleMemberEpoch, await rig.Rig.CommitAsync("g", theirs, 8, "a", 2));
        Assert.Equal(ErrorCode.StaleMemberEpoch, await rig.Rig.CommitAsync("g", theirs, 8, "b", 2));
        Assert.Equal(ErrorCode.StaleMemberEpoch, await rig.Rig.CommitAsync("g", mine, 8, "a", 4));
        Assert.Equal(ErrorCode.UnknownMemberId, await rig.Rig.CommitAsync("g", mine, 8, "c", 2));
        Assert.Equal(ErrorCode.UnsupportedVersion, await rig.Rig.CommitAsync("g", mine, 8, "a", 3, version: 8));
        Assert.Equal(8, await rig.Rig.FetchAsync("g", mine));
        Assert.Equal(ErrorCode.StaleMemberEpoch, await FetchErrorAsync(rig, "a", 2));
        Assert.Equal(ErrorCode.None, await FetchErrorAsync(rig, "a", 3));
        Assert.Equal(ErrorCode.UnknownMemberId, await FetchErrorAsync(rig, "c", 2));
    }

    private static async Task<ErrorCode> FetchErrorAsync(ConsumerRig rig, string member, int epoch) => (ErrorCode)(await rig.Rig.Groups.FetchOffsetsAsync(
        new() { GroupId = "g", MemberId = member, MemberEpoch = epoch, Topics = [] }, requireStable: true)).ErrorCode;

    /// <summary>As librdkafka 2.16 is: it does not send everything again when it gave up waiting for an answer.</summary>
    [Fact]
    public async Task A_member_is_told_to_give_partitions_up_until_it_says_that_it_did()
    {
        await using var rig = await ConsumerRig.StartAsync();
        var a = await rig.JoinAsync("a");
        await ConsumerRig.SettleAsync(a);
        Assert.Null(await ToldAsync());
        await rig.JoinAsync("b");

        // Neither answer arrives; the second is the one that Kafka would not give.
        Assert.Equal(5, await ToldAsync());
        Assert.Equal(5, await ToldAsync());
        Assert.Equal("Reconciling", await rig.StateAsync());
        await a.BeatAsync();
        Assert.Equal("0,1,2,3,4", a.Partitions);
        await a.BeatAsync();
        Assert.Null(await ToldAsync());

        async Task<int?> ToldAsync() => (await rig.SendAsync(new() { GroupId = "g", MemberId = "a", MemberEpoch = a.Epoch })).Assignment?.TopicPartitions.Sum(t => t.Partitions.Length);
    }

    [Fact]
    public async Task The_assignor_that_most_members_ask_for_is_used()
    {
        await using var rig = await ConsumerRig.StartAsync();
        var a = new MemberClient(rig, "a");
        var request = ConsumerRig.Joining("a");
        request.ServerAssignor = "range";
        await a.JoinAsync(request);
        var b = await rig.JoinAsync("b");
        await ConsumerRig.SettleAsync(a, b);
        Assert.Equal(("0,1,2,3,4", "5,6,7,8,9"), (a.Partitions, b.Partitions));
        Assert.Equal("range", (await rig.DescribeAsync()).AssignorName);
    }

    [Fact]
    public async Task A_fleet_that_starts_is_assigned_once_in_an_interval()
    {
        await using var rig = await ConsumerRig.StartAsync("group.consumer.assignment.interval.ms=1000");
        var a = await rig.JoinAsync("a");
        var b = await rig.JoinAsync("b");
        var c = await rig.JoinAsync("c");
        Assert.Equal("Assigning", await rig.StateAsync());
        Assert.Equal(2, (await rig.DescribeAsync()).AssignmentEpoch);
        rig.Advance(1000);
        await ConsumerRig.SettleAsync(a, b, c);
        Assert.Equal((4, "Stable"), ((await rig.DescribeAsync()).AssignmentEpoch, await rig.StateAsync()));
    }

    [Fact]
    public async Task Groups_are_listed_with_their_type_and_are_no_classic_groups()
    {
        await using var rig = await ConsumerRig.StartAsync();
        await rig.JoinAsync("a");
        await rig.Rig.StableAsync("classic");
        var listed = await rig.Rig.Groups.ListAsync(new ListGroupsRequest { TypesFilter = ["consumer"] }, CancellationToken.None);
        Assert.Equal(["g consumer Stable consumer"], listed.Groups.Select(g => $"{g.GroupId} {g.ProtocolType} {g.GroupState} {g.GroupType}"));
        var described = (await rig.Rig.Groups.DescribeAsync(GroupRig.Client(6), ["g"]))[0];
        Assert.Equal((ErrorCode.GroupIdNotFound, "Group g is not a classic group."), ((ErrorCode)described.ErrorCode, described.ErrorMessage));
        var other = await rig.DescribeAsync("classic");
        Assert.Equal((ErrorCode.GroupIdNotFound, "Group classic is not a consumer group."), ((ErrorCode)other.ErrorCode, other.ErrorMessage));
        Assert.Equal(ErrorCode.NonEmptyGroup, (ErrorCode)(await rig.Rig.Groups.DeleteAsync(["g"]))[0].ErrorCode);
    }
}
