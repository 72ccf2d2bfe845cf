using OrleansStream.Broker.Groups.Admin;
using OrleansStream.Broker.Groups.Consumer;
using OrleansStream.Broker.Partitions;
using OrleansStream.Broker.Tests.Engine;
using OrleansStream.Broker.Tests.Groups.Consumer;
using OrleansStream.Protocol;
using OrleansStream.Protocol.Messages;
using OrleansStream.Storage;

namespace OrleansStream.Broker.Tests.Groups;

public sealed class GroupAdminTests
{
    /// <summary>Records in each partition of "t" that a test fills.</summary>
    private const int Records = 10;

    [Fact]
    public async Task A_group_is_described_with_what_its_members_have()
    {
        await using var rig = await GroupRig.StartAsync();
        Assert.Equal(ErrorCode.GroupIdNotFound, (await rig.Engine.GroupAdmin.DescribeAsync("g")).Error);
        var member = await StableAsync(rig, "g", ("t", [1, 2]));
        var group = (await rig.Engine.GroupAdmin.DescribeAsync("g")).Value!;
        Assert.Equal(("g", "classic", "Stable", "consumer", "range", 1), (group.GroupId, group.Type, group.State, group.ProtocolType, group.Assignor, group.Epoch));
        var only = Assert.Single(group.Members);
        Assert.Equal((member, "client", "/127.0.0.1"), (only.MemberId, only.ClientId, only.ClientHost));
        Assert.Equal(("t", "1,2"), (only.Assigned.Single().Topic, string.Join(',', only.Assigned.Single().Partitions)));
    }

    [Fact]
    public async Task A_group_of_the_new_protocol_is_described_the_same_way()
    {
        await using var rig = await ConsumerRig.StartAsync();
        await ConsumerRig.SettleAsync(await rig.JoinAsync("member-1"));
        var group = (await rig.Rig.Engine.GroupAdmin.DescribeAsync("g")).Value!;
        Assert.Equal(("consumer", "Stable", "consumer", "uniform"), (group.Type, group.State, group.ProtocolType, group.Assignor));
        Assert.Equal(10, group.Members.Single().Assigned.Single().Partitions.Count);
    }

    [Fact]
    public async Task What_is_not_a_consumers_assignment_is_not_shown()
    {
        await using var rig = await GroupRig.StartAsync();
        await rig.StableAsync("g");
        Assert.Empty((await rig.Engine.GroupAdmin.DescribeAsync("g")).Value!.Members.Single().Assigned);
    }

    [Fact]
    public async Task Lag_is_of_what_is_committed_and_of_what_is_assigned()
    {
        await using var rig = await GroupRig.StartAsync();
        await FillAsync(rig, 0, 1);
        await rig.CommitAsync("g", 0, 4, metadata: "here");
        await rig.CommitAsync("g", 3, 0);
        var member = await StableAsync(rig, "g", ("t", [0, 1]));
        var lag = (await rig.Engine.GroupAdmin.LagAsync("g", new Ends(rig), CancellationToken.None)).Value!;
        Assert.Equal(
            [
                new PartitionProgress("t", 0, ErrorCode.None, 4, "here", Records, member),
                new PartitionProgress("t", 1, ErrorCode.None, -1, "", Records, member),
                new PartitionProgress("t", 3, ErrorCode.None, 0, "", 0, null),
            ],
            lag);
        Assert.Equal([6, -1, 0], lag.Select(p => p.Lag));
        var away = (await rig.Engine.GroupAdmin.LagAsync("g", new Ends(rig) { Error = ErrorCode.NotLeaderOrFollower }, CancellationToken.None)).Value!;
        Assert.All(away, p => Assert.Equal((ErrorCode.NotLeaderOrFollower, -1, -1), (p.Error, p.End, p.Lag)));
    }

    [Theory]
    [InlineData(ResetTarget.Earliest, 0, 2)]
    [InlineData(ResetTarget.Latest, 0, 10)]
    [InlineData(ResetTarget.Offset, 5, 5)]
    [InlineData(ResetTarget.Offset, 0, 2)]
    [InlineData(ResetTarget.Offset, 11, 10)]
    [InlineData(ResetTarget.Shift, -2, 5)]
    [InlineData(ResetTarget.Shift, -6, 2)]
    [InlineData(ResetTarget.Shift, long.MaxValue, 10)]
    [InlineData(ResetTarget.Shift, long.MinValue, 2)]
    [InlineData(ResetTarget.Timestamp, 1006, 6)]
    [InlineData(ResetTarget.Timestamp, 1010, 10)]
    public async Task A_reset_is_within_the_log(ResetTarget target, long value, long offset)
    {
        await using var rig = await GroupRig.StartAsync();
        await FillAsync(rig, 0);
        var partition = await rig.Rig.OpenAsync(rig.Engine, "t");
        Assert.Equal(ErrorCode.None, (await partition.DeleteRecordsAsync(2, CancellationToken.None)).Error);
        await rig.CommitAsync("g", 0, 7);
        var admin = rig.Engine.GroupAdmin;
        var planned = await admin.PlanResetAsync("g", new OffsetReset(target, value, null), new Ends(rig), CancellationToken.None);
        Assert.Equal([new GroupOffset("t", 0, offset)], planned.Value!);
        Assert.Equal(7, await rig.FetchAsync("g"));
        Assert.Equal(ErrorCode.None, (await admin.CommitAsync("g", planned.Value!)).Error);
        Assert.Equal(offset, await rig.FetchAsync("g"));
        await rig.RestartAsync();
        Assert.Equal(offset, await rig.FetchAsync("g"));
    }

    [Fact]
    public async Task A_group_with_members_keeps_its_offsets()
    {
        await using var rig = await GroupRig.StartAsync();
        await rig.CommitAsync("g", 0, 0);
        var member = await StableAsync(rig, "g", ("t", [0]));
        var admin = rig.Engine.GroupAdmin;
        var reset = new OffsetReset(ResetTarget.Latest, 0, null);
        Assert.Equal(ErrorCode.UnknownMemberId, (await admin.PlanResetAsync("g", reset, new Ends(rig), CancellationToken.None)).Error);
        Assert.Equal(ErrorCode.UnknownMemberId, (await admin.CommitAsync("g", [new GroupOffset("t", 0, 1)])).Error);
        Assert.Equal(ErrorCode.NonEmptyGroup, await admin.DeleteAsync("g"));
        Assert.Equal(0, await rig.FetchAsync("g"));
        Assert.Equal(ErrorCode.None, await rig.LeaveAsync("g", member));
        Assert.Equal(ErrorCode.None, (await admin.CommitAsync("g", [new GroupOffset("t", 0, 1)])).Error);
        Assert.Equal(ErrorCode.None, await admin.DeleteAsync("g"));
        Assert.Equal((ErrorCode.GroupIdNotFound, -1), (await admin.DeleteAsync("g"), await rig.FetchAsync("g")));
    }

    [Fact]
    public async Task What_cannot_be_reset_is_refused_and_nothing_is_set()
    {
        await using var rig = await GroupRig.StartAsync();
        await rig.CommitAsync("g", 0, 0);
        async Task<ErrorCode> PlanAsync(string group, OffsetReset reset, ErrorCode error = ErrorCode.None) =>
            (await rig.Engine.GroupAdmin.PlanResetAsync(group, reset, new Ends(rig) { Error = error }, CancellationToken.None)).Error;
        Assert.Equal(ErrorCode.UnknownTopicOrPartition, await PlanAsync("g", new(ResetTarget.Latest, 0, [("nothing", [])])));
        Assert.Equal(ErrorCode.UnknownTopicOrPartition, await PlanAsync("g", new(ResetTarget.Latest, 0, [("t", [10])])));
        Assert.Equal(ErrorCode.InvalidRequest, await PlanAsync("g", new(ResetTarget.Shift, 1, [("t", [])])));
        Assert.Equal(ErrorCode.NotLeaderOrFollower, await PlanAsync("g", new(ResetTarget.Latest, 0, null), ErrorCode.NotLeaderOrFollower));
        Assert.Equal(ErrorCode.GroupIdNotFound, await PlanAsync("nobody", new(ResetTarget.Latest, 0, null)));
        // Before its first member comes, a group can be told where to begin.
        Assert.Equal(ErrorCode.None, await PlanAsync("nobody", new(ResetTarget.Latest, 0, [("t", [])])));
        Assert.Equal(ErrorCode.UnknownTopicOrPartition, (await rig.Engine.GroupAdmin.CommitAsync("g", [new("t", 0, 5), new("nothing", 0, 1)])).Error);
        Assert.Equal(0, await rig.FetchAsync("g"));
    }

    [Fact]
    public async Task Groups_are_listed_by_partition()
    {
        await using var rig = await GroupRig.StartAsync("offsets.topic.num.partitions=2");
        string[] ids = [.. Enumerable.Range(0, 10).Select(i => $"g{i}")];
        foreach (var id in ids)
            await rig.CommitAsync(id, 0, 1);
        var admin = rig.Engine.GroupAdmin;
        var listed = new List<string>();
        for (var partition = 0; partition < 2; partition++)
        {
            var its = (await admin.ListAsync(partition)).Value!.Select(g => g.GroupId).ToList();
            Assert.All(its, id => Assert.Equal(partition, admin.PartitionOf(id)!.Value.Index));
            Assert.Equal(its.Order(StringComparer.Ordinal), its);
            listed.AddRange(its);
        }
        Assert.Equal(ids, listed.Order(StringComparer.Ordinal));
        Assert.Equal((ErrorCode.None, 0), ((await admin.ListAsync(2)).Error, (await admin.ListAsync(2)).Value!.Count));
    }

    private static async Task<string> StableAsync(GroupRig rig, string group, params (string Topic, int[] Partitions)[] assigned)
    {
        var (id, joining) = await rig.EnterAsync(group);
        rig.Advance(3000);
        var joined = await joining;
        Assert.Equal(0, joined.ErrorCode);
        var metadata = new byte[2];
        var partitions = assigned.Select(a => (rig.Engine.Cluster.TopicsByName[a.Topic].Id, (IEnumerable<int>)a.Partitions));
        var request = new SyncGroupRequest { GroupId = group, MemberId = id, GenerationId = joined.GenerationId };
        request.Assignments.Add(new() { MemberId = id, Assignment = ConsumerProtocol.WriteAssignment(partitions, rig.Engine.Cluster, metadata) });
        Assert.Equal(0, (await rig.Groups.SyncAsync(GroupRig.Client(5), request)).ErrorCode);
        return id;
    }

    /// <summary>Fills partitions with records of the times 1000, 1001 and so on.</summary>
    private static async Task FillAsync(GroupRig rig, params int[] partitions)
    {
        foreach (var index in partitions)
        {
            var partition = await rig.Rig.OpenAsync(rig.Engine, "t", index);
            for (var i = 0; i < Records; i++)
                Assert.Equal(ErrorCode.None, (await rig.Rig.AppendAsync(partition, "x", 1000 + i)).Error);
        }
    }

    private sealed class Ends(GroupRig rig) : IPartitionOffsets
    {
        public ErrorCode Error { get; init; }

        public async ValueTask<OffsetLookup> ListOffsetAsync(PartitionId partition, long timestamp, CancellationToken cancel)
        {
            if (Error != ErrorCode.None)
                return new OffsetLookup(Error);
            var topic = rig.Engine.Cluster.TopicsById[partition.TopicId];
            return await (await rig.Rig.OpenAsync(rig.Engine, topic.Name, partition.Index)).ListOffsetAsync(timestamp, IsolationLevel.ReadUncommitted, -1, cancel);
        }
    }
}
