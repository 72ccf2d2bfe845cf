using OrleansStream.Broker.Groups;
using OrleansStream.Protocol;
using OrleansStream.Protocol.Messages;

namespace OrleansStream.Broker.Tests.Groups;

public sealed class OffsetTests
{
    [Theory]
    // Computed with Java: Math.abs(id.hashCode()) % 50. The third has the hash Integer.MIN_VALUE.
    [InlineData("", 0)]
    [InlineData("group", 47)]
    [InlineData("polygenelubricants", 0)]
    [InlineData("grüße-日本", 25)]
    public void A_group_belongs_to_the_partition_that_Kafka_picks(string id, int partition) => Assert.Equal(partition, GroupCoordinator.PartitionOf(id, 50));

    [Fact]
    public async Task What_was_committed_is_there_after_a_crash_and_after_an_orderly_stop()
    {
        await using var rig = await GroupRig.StartAsync();
        for (var i = 0; i < 10; i++)
            Assert.Equal(ErrorCode.None, await rig.CommitAsync("g", i, 100 + i));
        Assert.Equal(ErrorCode.None, await rig.CommitAsync("g", 3, 7));
        await rig.RestartAsync();
        Assert.Equal((100, 7, -1), (await rig.FetchAsync("g"), await rig.FetchAsync("g", 3), await rig.FetchAsync("other")));
        await rig.Engine.StopAsync(CancellationToken.None);
        Assert.Equal(ErrorCode.NotCoordinator, await rig.CommitAsync("g", 0, 200));
        await rig.RestartAsync();
        Assert.Equal((100, 7), (await rig.FetchAsync("g"), await rig.FetchAsync("g", 3)));
        var all = await rig.Groups.FetchOffsetsAsync(new() { GroupId = "g", Topics = null }, requireStable: false);
        Assert.Equal(10, all.Topics.Single().Partitions.Count);
        Assert.Equal(3, all.Topics[0].Partitions[0].CommittedLeaderEpoch);
    }

    [Fact]
    public async Task A_commit_that_the_journal_lost_is_refused_and_not_seen()
    {
        await using var rig = await GroupRig.StartAsync();
        Assert.Equal(ErrorCode.None, await rig.CommitAsync("g", 0, 1));
        rig.Rig.Journals.Opened[^1].Fail("the disk is full");
        Assert.Equal(ErrorCode.NotCoordinator, await rig.CommitAsync("g", 0, 2));
        var error = ErrorCode.NotCoordinator;
        await rig.Rig.UntilAsync(() => (error = rig.CommitAsync("g", 1, 5).Result) == ErrorCode.None);
        Assert.Equal((1, 5), (await rig.FetchAsync("g"), await rig.FetchAsync("g", 1)));
    }

    [Fact]
    public async Task Offsets_are_deleted_and_stay_deleted()
    {
        await using var rig = await GroupRig.StartAsync();
        await rig.CommitAsync("g", 0, 1);
        await rig.CommitAsync("g", 1, 2);
        var request = new OffsetDeleteRequest { GroupId = "g" };
        request.Topics.Add(new() { Name = "t" });
        request.Topics[0].Partitions.Add(new() { PartitionIndex = 0 });
        var response = await rig.Groups.DeleteOffsetsAsync(request);
        Assert.Equal((0, 0), (response.ErrorCode, response.Topics[0].Partitions[0].ErrorCode));
        await rig.RestartAsync();
        Assert.Equal((-1, 2), (await rig.FetchAsync("g"), await rig.FetchAsync("g", 1)));
        request.GroupId = "nobody";
        Assert.Equal(ErrorCode.GroupIdNotFound, (ErrorCode)(await rig.Groups.DeleteOffsetsAsync(request)).ErrorCode);
    }

    [Fact]
    public async Task What_may_not_be_committed_gets_its_code_and_changes_nothing()
    {
        await using var rig = await GroupRig.StartAsync();
        Assert.Equal(ErrorCode.OffsetMetadataTooLarge, await rig.CommitAsync("g", 0, 1, metadata: new string('x', 11)));
        Assert.Equal(ErrorCode.None, await rig.CommitAsync("g", 1, 1, metadata: new string('x', 10)));
        Assert.Equal(ErrorCode.IllegalGeneration, await rig.CommitAsync("new", 0, 1, "m", 5, version: 8));
        Assert.Equal(ErrorCode.GroupIdNotFound, await rig.CommitAsync("new", 0, 1, "m", 5));
        Assert.Equal(ErrorCode.UnknownMemberId, await rig.CommitAsync("g", 0, 1, "m", 5));
        Assert.Equal(-1, await rig.FetchAsync("g"));
        Assert.Equal("Dead", await rig.StateAsync("new"));
    }

    [Fact]
    public async Task Offsets_expire_when_nobody_has_used_them_for_their_time_and_the_group_with_them()
    {
        await using var rig = await GroupRig.StartAsync("offsets.retention.minutes=10", "offsets.retention.check.interval.ms=60000");
        await rig.CommitAsync("old", 0, 1);
        await rig.CommitAsync("short", 0, 1, version: 4, retentionMs: 1000);
        rig.Advance(5 * 60_000);
        await rig.CommitAsync("young", 0, 1);
        Assert.Equal((1, -1), (await rig.FetchAsync("old"), await rig.FetchAsync("short")));
        rig.Advance(6 * 60_000);
        Assert.Equal((-1, 1), (await rig.FetchAsync("old"), await rig.FetchAsync("young")));
        var listed = await rig.Groups.ListAsync(new ListGroupsRequest(), CancellationToken.None);
        Assert.Equal("young", Assert.Single(listed.Groups).GroupId);
        await rig.RestartAsync();
        Assert.Equal((-1, 1), (await rig.FetchAsync("old"), await rig.FetchAsync("young")));
    }

    [Fact]
    public async Task Offsets_of_a_deleted_topic_go_with_it()
    {
        await using var rig = await GroupRig.StartAsync();
        await rig.CommitAsync("g", 0, 1);
        await rig.Engine.Topics.DeleteAsync(rig.Engine.Cluster.TopicsByName["t"], CancellationToken.None);
        Assert.Equal(-1, await rig.FetchAsync("g"));
    }

    [Fact]
    public async Task Commits_that_come_together_share_batches_and_a_huge_one_is_split()
    {
        await using var rig = await GroupRig.StartAsync();
        var together = await Task.WhenAll(Enumerable.Range(0, 500).Select(i => Task.Run(() => rig.CommitAsync($"g{i % 50}", i % 10, i))));
        Assert.All(together, e => Assert.Equal(ErrorCode.None, e));
        var request = new OffsetCommitRequest { GroupId = "large" };
        request.Topics.Add(new() { Name = new string('n', 200) });
        for (var i = 0; i < 20_000; i++)
            request.Topics[0].Partitions.Add(new() { PartitionIndex = i, CommittedOffset = i, CommittedMetadata = "" });
        var response = await await rig.Groups.BeginCommitAsync(GroupRig.Client(), request);
        Assert.All(response.Topics[0].Partitions, p => Assert.Equal(0, p.ErrorCode));
        await rig.RestartAsync();
        var all = await rig.Groups.FetchOffsetsAsync(new() { GroupId = "large", Topics = null }, false);
        Assert.Equal(20_000, all.Topics.Single().Partitions.Count);
    }
}
