using OrleansStream.Broker.Forwarding;
using OrleansStream.Broker.Partitions;
using OrleansStream.Broker.Tests.Engine;
using OrleansStream.Broker.Topics;
using OrleansStream.Protocol;

namespace OrleansStream.Broker.Tests.Forwarding;

/// <summary>A broker that serves what another one leads.</summary>
public sealed class ForwardingTests : IAsyncLifetime
{
    private ForwardingRig _rig = null!;

    public async Task InitializeAsync() => _rig = await ForwardingRig.StartAsync();

    public async Task DisposeAsync() => await _rig.EndAsync();

    private sealed class Watcher : IPartitionWatcher
    {
        public int Told;

        public void Changed() => Interlocked.Increment(ref Told);
    }

    [Theory]
    [InlineData(1), InlineData(2), InlineData(3)]
    public async Task Appends_that_overtake_each_other_on_the_way_are_in_the_order_in_which_they_began(int seed)
    {
        await _rig.TopicAsync("t", _rig.Far);
        var partition = await _rig.PartitionAsync("t");
        _rig.Wire.Holds = true;
        List<Task<AppendResult>> appends = [.. Enumerable.Range(0, 100).Select(i => _rig.Cluster.AppendAsync(partition, $"{i}"))];
        Assert.Equal(100, _rig.Wire.Held);
        _rig.Wire.Release(seed);
        var results = await Task.WhenAll(appends);
        Assert.Equal(Enumerable.Range(0, 100).Select(i => (ErrorCode.None, (long)i)), results.Select(static r => (r.Error, r.BaseOffset)));
        Assert.Equal(string.Concat(Enumerable.Range(0, 100)), await EngineRig.ReadAllAsync((await _rig.Far.GetAsync("t")).Partition!));
    }

    [Fact]
    public async Task Behind_an_append_that_got_lost_none_is_made_and_the_client_learns_which_may_be_there()
    {
        await _rig.TopicAsync("t", _rig.Far);
        var partition = await _rig.PartitionAsync("t");
        _rig.Wire.Holds = true;
        List<Task<AppendResult>> appends = [.. Enumerable.Range(0, 5).Select(i => _rig.Cluster.AppendAsync(partition, $"{i}"))];
        _rig.Wire.Release(1, lose: 2);
        // What comes meanwhile is not sent: it might overtake those that still wait for the one that is lost.
        Assert.Equal(ErrorCode.RequestTimedOut, (await appends[2]).Error);
        // They have arrived before the clock goes on: to a receiver they would be a gap, too.
        await Task.WhenAll(appends[0], appends[1]);
        Assert.Equal(ErrorCode.NotLeaderOrFollower, (await _rig.Cluster.AppendAsync(partition, "5")).Error);
        _rig.Wire.Holds = false;
        Assert.False(_rig.LeaseAsync("t").IsCompleted);
        await _rig.Cluster.UntilAsync(() => appends.TrueForAll(static a => a.IsCompleted), stepMs: 500);
        Assert.Equal(
            [ErrorCode.None, ErrorCode.None, ErrorCode.RequestTimedOut, ErrorCode.NotLeaderOrFollower, ErrorCode.NotLeaderOrFollower],
            appends.Select(static a => a.Result.Error));
        var next = _rig.LeaseAsync("t").AsTask();
        await _rig.Cluster.UntilAsync(() => next.IsCompleted);
        Assert.Equal(2, (await _rig.Cluster.AppendAsync((await next).Partition!, "again")).BaseOffset);
        Assert.Equal("01again", await EngineRig.ReadAllAsync((await _rig.Far.GetAsync("t")).Partition!));
    }

    [Fact]
    public async Task A_reader_that_waits_is_told_by_the_leader_and_asks_nobody_meanwhile()
    {
        var id = await _rig.TopicAsync("t", _rig.Far);
        var partition = await _rig.PartitionAsync("t");
        await _rig.Cluster.AppendAsync(partition, "one");
        var watcher = new Watcher();
        using var watch = partition.Watch(watcher);
        using (var read = await partition.ReadAsync(new PartitionReadRequest(1, 1000, true, IsolationLevel.ReadUncommitted), CancellationToken.None))
            Assert.True(read.Records.IsEmpty && read.HighWatermark == 1);
        await SettleAsync();
        var (told, waits) = (watcher.Told, _rig.Wire.Waits);
        await SettleAsync();
        Assert.Equal((told, waits), (watcher.Told, _rig.Wire.Waits));
        // By the leader's own clients.
        var own = (await _rig.Far.GetAsync("t")).Partition!;
        await _rig.Cluster.AppendAsync(own, "two");
        await _rig.Cluster.UntilAsync(() => watcher.Told > told, stepMs: 0);
        // And where it is led there no more.
        (told, _) = (watcher.Told, 0);
        await _rig.Cluster.AssignAsync(id.TopicId, [1]);
        await _rig.Far.Engine.ReleaseAsync(id, CancellationToken.None);
        await _rig.Cluster.UntilAsync(() => watcher.Told > told, stepMs: 0);
    }

    [Fact]
    public async Task A_partition_that_moves_is_followed_and_its_requests_wait_for_it()
    {
        var id = await _rig.TopicAsync("t", _rig.Far);
        await _rig.Cluster.AppendAsync(await _rig.PartitionAsync("t"), "far");
        await _rig.Cluster.AssignAsync(id.TopicId, [1]);
        var waiting = _rig.LeaseAsync("t").AsTask();
        await _rig.Far.Engine.ReleaseAsync(id, CancellationToken.None);
        Assert.False(waiting.IsCompleted);
        await _rig.MoveAsync(id, _rig.Near);
        var near = (await waiting).Partition!;
        Assert.True(near.IsHere);
        await _rig.Cluster.AppendAsync(near, "near");
        // And back, of which only the forwarding broker has heard: the other waits until it has, too.
        await _rig.Near.Engine.ReleaseAsync(id, CancellationToken.None);
        await _rig.Cluster.AssignAsync(id.TopicId, [2], -1, _rig.Near);
        var remote = await _rig.PartitionAsync("t");
        Assert.False(remote.IsHere);
        var append = _rig.Cluster.AppendAsync(remote, "far again");
        await SettleAsync();
        Assert.False(append.IsCompleted);
        await _rig.MoveAsync(id, _rig.Far);
        Assert.Equal(ErrorCode.None, (await append).Error);
        Assert.Equal("farnearfar again", await EngineRig.ReadAllAsync((await _rig.Far.GetAsync("t")).Partition!));
    }

    [Fact]
    public async Task A_leader_that_does_not_answer_is_one_to_look_for_again_and_nothing_is_asked_of_it_for_a_while()
    {
        await _rig.TopicAsync("t", _rig.Far);
        var partition = await _rig.PartitionAsync("t");
        _rig.Wire.IsDead = true;
        Assert.Equal(ErrorCode.RequestTimedOut, (await _rig.Cluster.AppendAsync(partition, "lost")).Error);
        Assert.Equal(ErrorCode.NotLeaderOrFollower, (await partition.ListOffsetAsync(-1, IsolationLevel.ReadUncommitted, -1, CancellationToken.None)).Error);
        Assert.Null(await partition.SizeAsync(CancellationToken.None));
        var next = _rig.LeaseAsync("t").AsTask();
        await SettleAsync();
        Assert.False(next.IsCompleted);
        _rig.Wire.IsDead = false;
        await _rig.Cluster.UntilAsync(() => next.IsCompleted);
        Assert.Equal(0, (await _rig.Cluster.AppendAsync((await next).Partition!, "there")).BaseOffset);
    }

    [Fact]
    public async Task Without_a_leader_a_request_waits_and_then_is_told_to_come_again()
    {
        var id = await _rig.TopicAsync("t", _rig.Far);
        await _rig.Cluster.AssignAsync(id.TopicId, [-1]);
        var lease = _rig.LeaseAsync("t").AsTask();
        await SettleAsync();
        Assert.False(lease.IsCompleted);
        await _rig.Cluster.UntilAsync(() => lease.IsCompleted, stepMs: 500);
        Assert.Equal(ErrorCode.NotLeaderOrFollower, (await lease).Error);
        Assert.Equal(ErrorCode.UnknownTopicOrPartition, (await _rig.Engine.GetPartitionAsync(_rig.Engine.Cluster.TopicsByName["t"], 1, CancellationToken.None)).Error);
    }

    [Fact]
    public async Task What_the_leader_knows_of_a_partition_is_known_through_the_other()
    {
        await _rig.TopicAsync("t", _rig.Far);
        var partition = await _rig.PartitionAsync("t");
        for (var i = 0; i < 4; i++)
            await _rig.Cluster.AppendAsync(partition, $"{i}");
        var own = (await _rig.Far.GetAsync("t")).Partition!;
        Assert.Equal(await own.SizeAsync(CancellationToken.None), await partition.SizeAsync(CancellationToken.None));
        Assert.Equal(4, (await partition.ListOffsetAsync(-1, IsolationLevel.ReadUncommitted, -1, CancellationToken.None)).Offset);
        Assert.Equal(new EpochEnd(ErrorCode.None, own.LeaderEpoch, 4), await partition.EndOffsetForEpochAsync(-1, own.LeaderEpoch, CancellationToken.None));
        Assert.Equal(ErrorCode.UnknownLeaderEpoch, (await partition.EndOffsetForEpochAsync(own.LeaderEpoch + 1, 0, CancellationToken.None)).Error);
        Assert.Empty((await partition.DescribeProducersAsync(CancellationToken.None)).Producers);
        Assert.Equal(2, (await partition.DeleteRecordsAsync(2, CancellationToken.None)).LowWatermark);
        Assert.Equal(2, own.LogStartOffset);
    }

    [Fact]
    public async Task Clients_see_one_broker_that_leads_everything()
    {
        var id = await _rig.TopicAsync("t", _rig.Far);
        await _rig.Cluster.AssignAsync(id.TopicId, [2], epoch: 5);
        var shown = _rig.Engine.Cluster;
        Assert.Same(shown, _rig.Engine.Cluster);
        Assert.Equal((OneAddress.NodeId, OneAddress.NodeId), (shown.ControllerId, shown.Brokers.Single().NodeId));
        Assert.Equal(_rig.Near.Engine.Me.Listeners, shown.Brokers.Single().Listeners);
        Assert.Equal(new PartitionPicture(OneAddress.NodeId, 5), shown.TopicsByName["t"].Partitions.Single());
        var made = await _rig.Engine.Topics.CreateAsync(Topics.AdminFixture.Topic("made", 2, 1), false, CancellationToken.None);
        Assert.All(made.Topic!.Partitions, static p => Assert.Equal(OneAddress.NodeId, p.LeaderId));
        // Configurations of the one broker are those of whichever silo is asked; what is set for it is set for all.
        var set = await _rig.Engine.Topics.AlterConfigsAsync(
            ConfigResourceType.Broker, $"{OneAddress.NodeId}", [new ConfigChange("log.retention.ms", ConfigOperation.Set, "12345")], false, CancellationToken.None);
        Assert.False(set.Failed, set.Message);
        var (error, entries) = await _rig.Engine.Topics.DescribeConfigsAsync(ConfigResourceType.Broker, $"{OneAddress.NodeId}", ["log.retention.ms"], CancellationToken.None);
        Assert.False(error.Failed, error.Message);
        Assert.Equal(("12345", ConfigSource.DynamicDefaultBroker), (entries.Single().Value, entries.Single().Source));
    }

    /// <summary>Time for what is under way; the clock stands still.</summary>
    private static Task SettleAsync() => Task.Delay(50);
}
