using System.Buffers;
using OrleansStream.Broker.Cluster;
using OrleansStream.Broker.Topics;
using OrleansStream.Protocol;
using OrleansStream.Storage;
using OrleansStream.Storage.Logs;
using OrleansStream.Storage.Ports;
using OrleansStream.Storage.Segments;

namespace OrleansStream.Broker.Tests.Engine;

/// <summary>Engines that are told what they lead.</summary>
public sealed class ClusterEngineTests
{
    private readonly ClusterRig _rig = new();

    [Fact]
    public async Task What_is_not_assigned_here_is_led_elsewhere_and_the_picture_says_where()
    {
        var a = await _rig.StartAsync(1);
        var b = await _rig.StartAsync(2);
        var id = await _rig.CreateAsync(a, "t", 2);
        Assert.All(b.Engine.Cluster.TopicsByName["t"].Partitions, p => Assert.Equal(new PartitionPicture(-1, -1), p));
        Assert.Equal(ErrorCode.NotLeaderOrFollower, (await b.GetAsync("t")).Error);
        await _rig.AssignAsync(id.TopicId, [1, 2], epoch: 7);
        Assert.Equal([new PartitionPicture(1, 7), new PartitionPicture(2, 7)], b.Engine.Cluster.TopicsByName["t"].Partitions);
        Assert.Equal((1, 2), (b.Engine.Cluster.ControllerId, b.Engine.Cluster.Brokers.Count));
        Assert.Equal(ErrorCode.NotLeaderOrFollower, (await b.GetAsync("t", 0)).Error);
        Assert.Equal(ErrorCode.UnknownTopicOrPartition, (await b.GetAsync("t", 2)).Error);
    }

    /// <summary>The broker that sweeps for all may be the one that has not heard of a topic's growth: what lies there for the new partitions is no leftover.</summary>
    [Fact]
    public async Task Partitions_that_the_sweeping_broker_has_not_heard_of_are_left_alone()
    {
        var sweeping = await _rig.StartAsync(1);
        var leading = await _rig.StartAsync(2);
        var id = await _rig.CreateAsync(sweeping, "t", 1);
        Assert.False((await leading.Engine.Topics.AddPartitionsAsync("t", 2, null, false, CancellationToken.None)).Failed);
        await _rig.AssignAsync(id.TopicId, [2, 2]);
        var added = new PartitionId(id.TopicId, 1);
        var partition = await _rig.LeadAsync(leading, "t", added);
        Assert.Equal(0, (await _rig.AppendAsync(partition, "kept")).BaseOffset);
        Assert.Single(sweeping.Engine.Cluster.TopicsByName["t"].Partitions);
        string[] stored = [.. _rig.Store.Names.Where(n => ManifestNames.PartitionOf(n) == added)];
        Assert.NotEmpty(stored);
        // Orphans of the other partition show that a sweep has come by: the second that goes, that the sweep before has ended.
        await _rig.LeadAsync(leading, "t", id);
        await leading.Engine.ReleaseAsync(id, CancellationToken.None);
        await _rig.LeadAsync(leading, "t", id);
        for (var sweep = 0; sweep < 2; sweep++)
        {
            var orphan = SegmentNames.ForPartition(id, 0, 0, _rig.Ports.Random);
            await _rig.Store.CreateAsync(orphan, new ReadOnlySequence<byte>(new byte[1]), CancellationToken.None);
            await _rig.UntilAsync(() => !_rig.Store.Names.Contains(orphan), stepMs: 5000);
        }
        Assert.Subset(_rig.Store.Names.ToHashSet(), stored.ToHashSet());
        Assert.Equal(1, (await _rig.AppendAsync(partition, "and on")).BaseOffset);
    }

    [Fact]
    public async Task A_request_for_what_is_assigned_here_waits_until_it_may_be_opened()
    {
        var a = await _rig.StartAsync(1);
        var id = await _rig.CreateAsync(a, "t", 2);
        await _rig.AssignAsync(id.TopicId, [1, 1]);
        var waiting = a.GetAsync("t").AsTask();
        using var impatient = new CancellationTokenSource();
        var cancelled = a.GetAsync("t", 1, impatient.Token).AsTask();
        await impatient.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => cancelled);
        Assert.False(waiting.IsCompleted);
        // Only what is told is opened, whoever asks.
        a.Engine.Touch(a.Engine.Cluster.TopicsByName["t"]);
        Assert.Equal(0, a.Engine.OpenPartitions);
        Assert.Equal(0, await a.Engine.LeadAsync(id, CancellationToken.None));
        Assert.Equal(ErrorCode.None, (await waiting).Error);
        Assert.Equal(["opened 0 in epoch 0"], a.Told);
        Assert.Equal(1, a.Engine.OpenPartitions);
        // The picture is redrawn in the background.
        await _rig.UntilAsync(() => a.Engine.Cluster.TopicsByName["t"].Partitions[0].LeaderEpoch == 0);
    }

    [Fact]
    public async Task Who_waits_for_what_is_then_assigned_elsewhere_is_sent_on()
    {
        var a = await _rig.StartAsync(1);
        var id = await _rig.CreateAsync(a, "t");
        await _rig.AssignAsync(id.TopicId, [1]);
        var waiting = a.GetAsync("t").AsTask();
        await _rig.AssignAsync(id.TopicId, [2]);
        Assert.Equal(ErrorCode.NotLeaderOrFollower, (await waiting).Error);
    }

    [Fact]
    public async Task An_older_assignment_changes_nothing()
    {
        var a = await _rig.StartAsync(1);
        var id = await _rig.CreateAsync(a, "t");
        await _rig.AssignAsync(id.TopicId, [1]);
        var newest = a.Engine.Assignment;
        await _rig.AssignAsync(id.TopicId, [2]);
        a.Engine.Assign(newest);
        await a.Engine.PublishedAsync();
        Assert.Equal(2, a.Engine.Cluster.TopicsByName["t"].Partitions[0].LeaderId);
    }

    [Fact]
    public async Task The_old_leader_s_epoch_is_not_shown_as_the_next_one_s_while_it_serves_on()
    {
        var a = await _rig.StartAsync(1);
        var id = await _rig.CreateAsync(a, "t");
        await _rig.AssignAsync(id.TopicId, [1]);
        await _rig.LeadAsync(a, "t", id);
        await a.Engine.PublishedAsync();
        Assert.Equal(new PartitionPicture(1, 0), a.Engine.Cluster.TopicsByName["t"].Partitions[0]);
        await _rig.AssignAsync(id.TopicId, [2]);
        Assert.Equal(ErrorCode.None, (await a.GetAsync("t")).Error);
        Assert.Equal(new PartitionPicture(2, -1), a.Engine.Cluster.TopicsByName["t"].Partitions[0]);
    }

    [Fact]
    public async Task A_planned_move_replays_nothing_fences_nothing_and_leaves_the_others_alone()
    {
        var a = await _rig.StartAsync(1);
        var b = await _rig.StartAsync(2);
        var moving = await _rig.CreateAsync(a, "t", 2);
        var staying = moving with { Index = 1 };
        await _rig.AssignAsync(moving.TopicId, [1, 1]);
        var before = await _rig.LeadAsync(a, "t", moving);
        var other = await _rig.LeadAsync(a, "t", staying);
        await _rig.AppendAsync(before, "one ");
        await _rig.AppendAsync(other, "stays ");

        await a.Engine.PrepareReleaseAsync(moving, CancellationToken.None);
        await _rig.AssignAsync(moving.TopicId, [2, 1]);
        // From here on the old leader still serves who comes, and the new one lets him wait.
        Assert.Same(before, (await a.GetAsync("t")).Partition);
        Assert.Equal(ErrorCode.None, (await _rig.AppendAsync(before, "two ")).Error);
        var waiting = b.GetAsync("t").AsTask();
        await a.Engine.ReleaseAsync(moving, CancellationToken.None);
        Assert.Equal(ErrorCode.NotLeaderOrFollower, (await a.GetAsync("t")).Error);
        Assert.Equal(ErrorCode.NotLeaderOrFollower, (await _rig.AppendAsync(before, "late")).Error);
        Assert.Equal(ErrorCode.NotLeaderOrFollower, await EngineRig.ReadErrorAsync(before, 0));
        Assert.False(waiting.IsCompleted);

        var after = await _rig.LeadAsync(b, "t", moving);
        Assert.Same(after, (await waiting).Partition);
        Assert.Equal(1, after.LeaderEpoch);
        Assert.Equal("one two ", await EngineRig.ReadAllAsync(after));
        Assert.Equal(ErrorCode.None, (await _rig.AppendAsync(after, "three")).Error);
        Assert.Equal(ErrorCode.None, (await _rig.AppendAsync(other, "put")).Error);
        Assert.Equal("stays put", await EngineRig.ReadAllAsync(other));
        Assert.Equal(0, _rig.Journals.Replays);
        Assert.Equal(new EpochEndOf(0, 2), EpochEndOf.Of(after, 0));

        // And back into the process that led it before.
        await _rig.AssignAsync(moving.TopicId, [1, 1]);
        await b.Engine.ReleaseAsync(moving, CancellationToken.None);
        var back = await _rig.LeadAsync(a, "t", moving);
        Assert.Equal(2, back.LeaderEpoch);
        Assert.Equal("one two three", await EngineRig.ReadAllAsync(back));
        Assert.Equal(0, _rig.Journals.Replays);
        Assert.Equal(
            ["opened 0 in epoch 0", "opened 1 in epoch 0", "stepped down 0 in epoch 0", "opened 0 in epoch 2"], a.Told);
    }

    private readonly record struct EpochEndOf(int Epoch, long End)
    {
        public static EpochEndOf Of(Broker.Partitions.IPartition partition, int epoch)
        {
            var end = ((Broker.Partitions.Partition)partition).EndOffsetForEpoch(-1, epoch);
            Assert.Equal(ErrorCode.None, end.Error);
            return new EpochEndOf(end.LeaderEpoch, end.EndOffset);
        }
    }

    [Fact]
    public async Task A_partition_is_released_within_its_time_though_the_store_is_away_and_nothing_is_lost()
    {
        var a = await _rig.StartAsync(1);
        var b = await _rig.StartAsync(2);
        var id = await _rig.CreateAsync(a, "t");
        await _rig.AssignAsync(id.TopicId, [1]);
        var partition = await _rig.LeadAsync(a, "t", id);
        await _rig.AppendAsync(partition, "kept");
        _rig.Store.BeforeCall = (operation, name) => operation == "create" && name.StartsWith("partitions/", StringComparison.Ordinal)
            ? throw new StoreUnavailableException("away") : ValueTask.CompletedTask;
        using var limit = new CancellationTokenSource();
        var releasing = a.Engine.ReleaseAsync(id, limit.Token).AsTask();
        await _rig.UntilAsync(() => _rig.AppendAsync(partition, "late").Result.Error == ErrorCode.NotLeaderOrFollower);
        Assert.False(releasing.IsCompleted);
        await limit.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => releasing);
        Assert.Equal(0, a.Engine.OpenPartitions);
        _rig.Store.BeforeCall = null;
        await _rig.AssignAsync(id.TopicId, [2]);
        Assert.Equal("kept", await EngineRig.ReadAllAsync(await _rig.LeadAsync(b, "t", id)));
        Assert.Equal(1, _rig.Journals.Replays);
    }

    [Fact]
    public async Task After_a_crash_another_broker_takes_the_partitions_with_everything_acknowledged()
    {
        var a = await _rig.StartAsync(1);
        var b = await _rig.StartAsync(2);
        var id = await _rig.CreateAsync(a, "t", 3);
        await _rig.AssignAsync(id.TopicId, [1, 1, 1]);
        for (var i = 0; i < 3; i++)
            Assert.Equal(ErrorCode.None, (await _rig.AppendAsync(await _rig.LeadAsync(a, "t", id with { Index = i }), $"value {i}")).Error);
        await _rig.CrashAsync(a);
        await _rig.AssignAsync(id.TopicId, [2, 2, 2], epoch: 0);
        for (var i = 0; i < 3; i++)
        {
            var taken = await _rig.LeadAsync(b, "t", id with { Index = i });
            Assert.Equal((1, $"value {i}"), (taken.LeaderEpoch, await EngineRig.ReadAllAsync(taken)));
        }
        Assert.Equal(1, _rig.Journals.Replays);
    }

    [Fact]
    public async Task What_stepped_down_is_taken_again_once_the_assignment_is_confirmed_and_still_names_this_broker()
    {
        var a = await _rig.StartAsync(1);
        var id = await _rig.CreateAsync(a, "t", 2);
        await _rig.AssignAsync(id.TopicId, [1, 1]);
        await _rig.LeadAsync(a, "t", id);
        await _rig.LeadAsync(a, "t", id with { Index = 1 });
        a.Confirmation = new TaskCompletionSource();
        _rig.Journals.Opened[^1].Fail("fenced");
        await _rig.UntilAsync(() => a.Confirmations == 2);
        Assert.DoesNotContain(a.Told, t => t.EndsWith("epoch 1", StringComparison.Ordinal));
        // Meanwhile the controller has given one of the two away.
        await _rig.AssignAsync(id.TopicId, [1, 2]);
        a.Confirmation.SetResult();
        await _rig.UntilAsync(() => a.Told.Contains("opened 0 in epoch 1") && a.Engine.OpenPartitions == 1);
        Assert.Equal(ErrorCode.NotLeaderOrFollower, (await a.GetAsync("t", 1)).Error);
        Assert.Equal(ErrorCode.None, (await _rig.AppendAsync((await a.GetAsync("t", 0)).Partition!, "again")).Error);
    }

    [Fact]
    public async Task A_partition_that_is_told_before_its_topic_is_known_is_opened_when_that_comes()
    {
        var a = await _rig.StartAsync(1);
        var b = await _rig.StartAsync(2);
        var topic = await EngineRig.CreateAsync(a.Engine, "t");
        var id = new PartitionId(topic.Id, 0);
        await _rig.AssignAsync(topic.Id, [2]);
        Assert.Equal(-1, await b.Engine.LeadAsync(id, CancellationToken.None));
        await b.Engine.TopicsChangedAsync(["t"], CancellationToken.None);
        await _rig.UntilAsync(() => b.Told.Count == 1);
        Assert.Equal(ErrorCode.None, (await b.GetAsync("t")).Error);
    }

    [Fact]
    public async Task A_deleted_topic_is_let_go_by_its_leader_and_removed_by_the_controller()
    {
        var a = await _rig.StartAsync(1);
        var b = await _rig.StartAsync(2);
        var id = await _rig.CreateAsync(a, "t");
        await _rig.AssignAsync(id.TopicId, [2]);
        var partition = await _rig.LeadAsync(b, "t", id);
        await _rig.AppendAsync(partition, "gone soon");
        var picture = b.Engine.Cluster.TopicsByName["t"];
        // Deleted where neither the leader nor the controller is.
        var c = await _rig.StartAsync(3);
        Assert.Equal(ErrorCode.None, (await c.Engine.Topics.DeleteAsync(picture, CancellationToken.None)).Code);
        await _rig.UntilAsync(() => true);
        Assert.Contains(_rig.Store.Names, n => n.Contains(id.TopicId.ToString("N"), StringComparison.Ordinal));
        await b.Engine.TopicsChangedAsync(["t"], CancellationToken.None);
        await _rig.UntilAsync(() => b.Engine.OpenPartitions == 0);
        Assert.Equal(ErrorCode.UnknownTopicOrPartition, (await b.Engine.GetPartitionAsync(picture, 0, CancellationToken.None)).Error);
        Assert.Equal(ErrorCode.NotLeaderOrFollower, (await _rig.AppendAsync(partition, "late")).Error);
        await a.Engine.TopicsChangedAsync(["t"], CancellationToken.None);
        await _rig.UntilAsync(() => !_rig.Store.Names.Any(n => n.Contains(id.TopicId.ToString("N"), StringComparison.Ordinal)));
    }

    [Fact]
    public async Task A_new_controller_finishes_what_the_old_one_left_to_remove()
    {
        var a = await _rig.StartAsync(1);
        var b = await _rig.StartAsync(2);
        var id = await _rig.CreateAsync(a, "t");
        await _rig.AssignAsync(id.TopicId, [2]);
        await _rig.AppendAsync(await _rig.LeadAsync(b, "t", id), "gone soon");
        Assert.Equal(ErrorCode.None, (await b.Engine.Topics.DeleteAsync(b.Engine.Cluster.TopicsByName["t"], CancellationToken.None)).Code);
        await _rig.UntilAsync(() => b.Engine.OpenPartitions == 0);
        Assert.Contains(_rig.Store.Names, n => n.Contains(id.TopicId.ToString("N"), StringComparison.Ordinal));
        _rig.ControllerId = 2;
        await _rig.AssignAsync(id.TopicId, []);
        await _rig.UntilAsync(() => !_rig.Store.Names.Any(n => n.Contains(id.TopicId.ToString("N"), StringComparison.Ordinal)));
    }

    [Fact]
    public async Task Settings_that_another_broker_changed_are_read_again()
    {
        var a = await _rig.StartAsync(1);
        var b = await _rig.StartAsync(2);
        Assert.Equal(ErrorCode.None, (await a.Engine.Topics.AlterConfigsAsync(
            ConfigResourceType.Broker, "", [new("log.retention.ms", ConfigOperation.Set, "5000")], false, CancellationToken.None)).Code);
        await _rig.CreateAsync(a, "t");
        Assert.NotEqual(5000, b.Engine.Cluster.TopicsByName["t"].Config.RetentionMs);
        await b.Engine.ConfigsChangedAsync(CancellationToken.None);
        Assert.Equal(5000, b.Engine.Cluster.TopicsByName["t"].Config.RetentionMs);
    }

    [Fact]
    public async Task Brokers_of_one_cluster_are_not_strangers_and_a_stranger_ends_them()
    {
        var a = await _rig.StartAsync(1);
        var b = await _rig.StartAsync(2);
        var id = await _rig.CreateAsync(a, "t");
        await _rig.AssignAsync(id.TopicId, [1]);
        await _rig.LeadAsync(a, "t", id);
        _rig.Journals.Opened[0].Fail("fenced by a broker of this cluster");
        await _rig.UntilAsync(() => a.Told.Contains("opened 0 in epoch 1"));
        Assert.False(a.Engine.Ended.IsCompleted);
        await _rig.StartAsync(1, owner: OwnerId.OfCluster("another"));
        _rig.Journals.Opened.Last(j => j.Id == _rig.Journals.Opened[2].Id).Fail("fenced by a stranger");
        await _rig.UntilAsync(() => a.Engine.Ended.IsCompleted);
        // This one writes nothing that could be refused: it finds out by looking.
        await _rig.UntilAsync(() => b.Engine.Ended.IsCompleted, stepMs: 200);
    }

    [Fact]
    public async Task A_broker_whose_store_a_stranger_serves_opens_nothing_though_it_is_told_to()
    {
        var a = await _rig.StartAsync(1);
        var id = await _rig.CreateAsync(a, "t");
        await _rig.AssignAsync(id.TopicId, [1]);
        var stranger = await _rig.StartAsync(1, owner: OwnerId.OfCluster("another"));
        await _rig.AssignAsync(id.TopicId, [1]);
        await _rig.LeadAsync(stranger, "t", id);
        using var end = new CancellationTokenSource();
        var told = a.Engine.LeadAsync(id, end.Token).AsTask();
        await _rig.UntilAsync(() => a.Engine.Ended.IsCompleted);
        Assert.Equal(0, a.Engine.OpenPartitions);
        Assert.Equal(["opened 0 in epoch 0"], stranger.Told);
        await end.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => told);
    }

    [Fact]
    public async Task The_journal_of_a_killed_broker_goes_once_no_manifest_has_listed_it_for_long()
    {
        var a = await _rig.StartAsync(1);
        var b = await _rig.StartAsync(2);
        var id = await _rig.CreateAsync(a, "t", 2);
        await _rig.AssignAsync(id.TopicId, [1, 2]);
        await _rig.LeadAsync(a, "t", id);
        await _rig.AppendAsync(await _rig.LeadAsync(b, "t", id with { Index = 1 }), "kept");
        // It led nothing, so nobody fences its journal.
        var idle = await _rig.StartAsync(3);
        var journal = _rig.Journals.Opened[^1].Id;
        await _rig.CrashAsync(idle);
        Assert.Contains(journal, _rig.Journals.Ids);
        await _rig.UntilAsync(() => !_rig.Journals.Ids.Contains(journal), stepMs: 2000);
        Assert.Contains(_rig.Journals.Opened[0].Id, _rig.Journals.Ids);
        Assert.Contains(_rig.Journals.Opened[1].Id, _rig.Journals.Ids);
        Assert.Equal(["opened 1 in epoch 0"], b.Told);
    }
}
