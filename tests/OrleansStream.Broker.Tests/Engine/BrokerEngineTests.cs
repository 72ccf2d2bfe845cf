using OrleansStream.Broker.Partitions;
using OrleansStream.Protocol;
using OrleansStream.Storage;
using OrleansStream.Storage.Ports;

namespace OrleansStream.Broker.Tests.Engine;

public sealed class BrokerEngineTests
{
    private readonly EngineRig _rig = new();

    [Fact]
    public async Task What_was_produced_is_there_after_an_orderly_stop_and_nothing_is_replayed()
    {
        var first = await _rig.StartAsync();
        await EngineRig.CreateAsync(first, "t", 3);
        var partition = await _rig.OpenAsync(first, "t", 2);
        Assert.Equal(ErrorCode.None, (await _rig.AppendAsync(partition, "hello")).Error);
        await first.StopAsync(CancellationToken.None);
        Assert.Equal(ErrorCode.NotLeaderOrFollower, (await _rig.AppendAsync(partition, "late")).Error);
        await first.DisposeAsync();
        Assert.Empty(_rig.Journals.Ids);

        await using var second = await _rig.StartAsync();
        Assert.Equal(first.Cluster.ClusterId, second.Cluster.ClusterId);
        Assert.True(second.Recovered.IsCompleted);
        var again = await _rig.OpenAsync(second, "t", 2);
        Assert.Equal("hello", await EngineRig.ReadAllAsync(again));
        Assert.True(again.LeaderEpoch > partition.LeaderEpoch);
        Assert.Equal(0, _rig.Journals.Replays);
    }

    [Fact]
    public async Task After_a_crash_everything_is_taken_again_in_the_background()
    {
        var first = await _rig.StartAsync();
        await EngineRig.CreateAsync(first, "t", 20);
        for (var i = 0; i < 20; i++)
            Assert.Equal(ErrorCode.None, (await _rig.AppendAsync(await _rig.OpenAsync(first, "t", i), $"value {i}")).Error);
        await first.DisposeAsync();

        await using var second = await _rig.StartAsync();
        // Metadata does not wait.
        Assert.Equal(20, second.Cluster.TopicsByName["t"].Partitions.Count);
        await second.Recovered;
        Assert.Equal(20, second.OpenPartitions);
        Assert.Equal(1, _rig.Journals.Replays);
        for (var i = 0; i < 20; i++)
            Assert.Equal($"value {i}", await EngineRig.ReadAllAsync(await _rig.OpenAsync(second, "t", i)));
        await _rig.UntilAsync(() => second.Cluster.TopicsByName["t"].Partitions.All(p => p.LeaderEpoch == 1));
    }

    [Fact]
    public async Task Many_who_want_a_partition_at_once_open_it_once()
    {
        await using var engine = await _rig.StartAsync();
        var topic = await EngineRig.CreateAsync(engine, "t");
        var gate = new TaskCompletionSource();
        _rig.Store.BeforeCall = (_, name) => name.StartsWith("partitions/", StringComparison.Ordinal) ? new ValueTask(gate.Task) : ValueTask.CompletedTask;
        var waiting = Enumerable.Range(0, 50).Select(_ => engine.GetPartitionAsync(topic, 0, CancellationToken.None).AsTask()).ToList();
        using var impatient = new CancellationTokenSource();
        var cancelled = engine.GetPartitionAsync(topic, 0, impatient.Token).AsTask();
        await impatient.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => cancelled);
        gate.SetResult();
        var leases = await Task.WhenAll(waiting);
        Assert.All(leases, l => Assert.Same(leases[0].Partition, l.Partition));
        Assert.Equal(0, leases[0].Partition!.LeaderEpoch);
        Assert.True(engine.GetPartitionAsync(topic, 0, CancellationToken.None).IsCompletedSuccessfully);
    }

    [Fact]
    public async Task What_does_not_exist_is_not_opened()
    {
        await using var engine = await _rig.StartAsync();
        var topic = await EngineRig.CreateAsync(engine, "t", 2);
        foreach (var index in (int[])[-1, 2, int.MaxValue])
            Assert.Equal(ErrorCode.UnknownTopicOrPartition, (await engine.GetPartitionAsync(topic, index, CancellationToken.None)).Error);
        await engine.Topics.DeleteAsync(topic, CancellationToken.None);
        Assert.Equal(ErrorCode.UnknownTopicOrPartition, (await engine.GetPartitionAsync(topic, 0, CancellationToken.None)).Error);
        Assert.Equal(0, engine.OpenPartitions);
        Assert.DoesNotContain(_rig.Store.Names, n => n.StartsWith("partitions/", StringComparison.Ordinal));
    }

    [Fact]
    public async Task When_the_journal_fails_reads_go_on_and_the_partition_is_taken_again()
    {
        await using var engine = await _rig.StartAsync();
        await EngineRig.CreateAsync(engine, "t");
        var before = await _rig.OpenAsync(engine, "t");
        await _rig.AppendAsync(before, "one ");
        _rig.Journals.Opened[^1].Fail("the disk is full");
        Assert.Equal(ErrorCode.KafkaStorageError, (await _rig.AppendAsync(before, "lost ")).Error);
        Assert.Equal("one ", await EngineRig.ReadAllAsync(before));
        IPartition? after = null;
        await _rig.UntilAsync(() => (after = engine.GetPartitionAsync(engine.Cluster.TopicsByName["t"], 0, CancellationToken.None).Result.Partition) != before);
        Assert.True(after!.LeaderEpoch > before.LeaderEpoch);
        Assert.Equal(ErrorCode.None, (await _rig.AppendAsync(after, "two")).Error);
        Assert.Equal("one two", await EngineRig.ReadAllAsync(after));
        // The one that was replaced sends its readers to the one that leads now.
        Assert.Equal(ErrorCode.NotLeaderOrFollower, await EngineRig.ReadErrorAsync(before, 0));
        await _rig.UntilAsync(() => engine.Cluster.TopicsByName["t"].Partitions[0].LeaderEpoch == after.LeaderEpoch);
        Assert.False(engine.Ended.IsCompleted);
    }

    [Fact]
    public async Task While_the_store_is_away_opening_fails_retriably_and_works_again_afterwards()
    {
        await using var engine = await _rig.StartAsync();
        var topic = await EngineRig.CreateAsync(engine, "t");
        var tries = 0;
        _rig.Store.BeforeCall = (_, _) => { tries++; throw new StoreUnavailableException("away"); };
        for (var i = 0; i < 20; i++)
            Assert.Equal(ErrorCode.KafkaStorageError, (await engine.GetPartitionAsync(topic, 0, CancellationToken.None)).Error);
        // The clock stands still: only the first of them asked the store.
        Assert.InRange(tries, 1, 10);
        _rig.Store.BeforeCall = null;
        await _rig.UntilAsync(() => engine.GetPartitionAsync(topic, 0, CancellationToken.None).Result.Error == ErrorCode.None);
    }

    [Fact]
    public async Task A_topic_made_anew_under_an_old_name_sees_nothing_of_the_old_one_which_is_removed()
    {
        await using var engine = await _rig.StartAsync();
        var old = await EngineRig.CreateAsync(engine, "t", 2);
        var partition = await _rig.OpenAsync(engine, "t");
        await _rig.AppendAsync(partition, "old");
        Assert.Equal(ErrorCode.None, (await engine.Topics.DeleteAsync(old, CancellationToken.None)).Code);
        var fresh = await EngineRig.CreateAsync(engine, "t");
        Assert.Equal("", await EngineRig.ReadAllAsync(await _rig.OpenAsync(engine, "t")));
        await _rig.UntilAsync(() => _rig.AppendAsync(partition, "to the dead").Result.Error == ErrorCode.NotLeaderOrFollower);
        await _rig.UntilAsync(() => !_rig.Store.Names.Any(n => n.Contains(old.Id.ToString("N"), StringComparison.Ordinal)));
        Assert.Contains(_rig.Store.Names, n => n.Contains(fresh.Id.ToString("N"), StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_removal_that_a_crash_interrupted_is_finished_by_the_next_process()
    {
        var first = await _rig.StartAsync();
        var topic = await EngineRig.CreateAsync(first, "t", 3);
        for (var i = 0; i < 3; i++)
            await _rig.AppendAsync(await _rig.OpenAsync(first, "t", i), "x");
        _rig.Store.BeforeCall = (operation, _) => operation == "delete" ? throw new StoreUnavailableException("away") : ValueTask.CompletedTask;
        Assert.Equal(ErrorCode.None, (await first.Topics.DeleteAsync(topic, CancellationToken.None)).Code);
        await first.DisposeAsync();
        Assert.Contains(_rig.Store.Names, n => n.Contains(topic.Id.ToString("N"), StringComparison.Ordinal));
        _rig.Store.BeforeCall = null;
        await using var second = await _rig.StartAsync();
        Assert.Empty(second.Cluster.TopicsByName);
        await _rig.UntilAsync(() => !_rig.Store.Names.Any(n => n.Contains(topic.Id.ToString("N"), StringComparison.Ordinal) || n == "topics/t"));
    }

    [Fact]
    public async Task A_process_that_another_one_has_fenced_says_so_and_takes_nothing_back()
    {
        var rig = new EngineRig(shared: true);
        await using var old = await rig.StartAsync();
        await EngineRig.CreateAsync(old, "t");
        var partition = await rig.OpenAsync(old, "t");
        await rig.AppendAsync(partition, "one ");
        await using var successor = await rig.StartAsync();
        await successor.Recovered;
        var taken = await rig.OpenAsync(successor, "t");
        Assert.Equal("one ", await EngineRig.ReadAllAsync(taken));
        // A real journal finds out by its next put.
        rig.Journals.Opened[0].Fail("fenced");
        Assert.Equal(ErrorCode.NotLeaderOrFollower, (await rig.AppendAsync(partition, "lost")).Error);
        await rig.UntilAsync(() => old.Ended.IsCompleted);
        Assert.Contains("Another process", await old.Ended, StringComparison.Ordinal);
        Assert.Equal(ErrorCode.None, (await rig.AppendAsync(taken, "two")).Error);
        Assert.Equal("one two", await EngineRig.ReadAllAsync(taken));
        Assert.False(successor.Ended.IsCompleted);
    }

    [Fact]
    public async Task A_process_without_work_finds_out_that_another_one_serves_its_store()
    {
        var rig = new EngineRig(shared: true);
        await using var old = await rig.StartAsync();
        await using var successor = await rig.StartAsync();
        await rig.UntilAsync(() => old.Ended.IsCompleted);
        Assert.Contains("Another process", await old.Ended, StringComparison.Ordinal);
        Assert.False(successor.Ended.IsCompleted);
    }

    [Fact]
    public async Task Touched_topics_open_ahead_of_use_and_show_their_leader_epochs()
    {
        await using var engine = await _rig.StartAsync();
        var topic = await EngineRig.CreateAsync(engine, "t", 30);
        Assert.All(topic.Partitions, p => Assert.Equal((1, -1), (p.LeaderId, p.LeaderEpoch)));
        engine.Touch(topic);
        await _rig.UntilAsync(() => engine.Cluster.TopicsByName["t"].Partitions.All(p => p.LeaderEpoch == 0));
        Assert.Equal(30, engine.OpenPartitions);
    }

    [Fact]
    public async Task A_changed_configuration_reaches_open_partitions()
    {
        await using var engine = await _rig.StartAsync();
        await EngineRig.CreateAsync(engine, "t");
        var partition = await _rig.OpenAsync(engine, "t");
        Assert.Equal(ErrorCode.None, (await _rig.AppendAsync(partition, new string('x', 500))).Error);
        await engine.Topics.AlterConfigsAsync(
            Broker.Topics.ConfigResourceType.Topic, "t", [new("max.message.bytes", Broker.Topics.ConfigOperation.Set, "300")], false, CancellationToken.None);
        Assert.Equal(ErrorCode.MessageTooLarge, (await _rig.AppendAsync(partition, new string('x', 500))).Error);
    }

    [Fact]
    public async Task Retention_lets_old_records_go_also_of_partitions_that_nobody_asks_for()
    {
        var first = await _rig.StartAsync();
        await EngineRig.CreateAsync(first, "t", 1, "retention.ms=3600000");
        var partition = await _rig.OpenAsync(first, "t");
        await _rig.AppendAsync(partition, "old ");
        await first.StopAsync(CancellationToken.None);
        await first.DisposeAsync();

        _rig.Ports.Time.Advance(TimeSpan.FromHours(2));
        await using var second = await _rig.StartAsync("log.retention.check.interval.ms=60000");
        await _rig.UntilAsync(() => second.OpenPartitions == 1, stepMs: 1000);
        var opened = await _rig.OpenAsync(second, "t");
        await _rig.UntilAsync(() => opened.LogStartOffset == 1, stepMs: 1000);
        Assert.Equal(ErrorCode.OffsetOutOfRange, await EngineRig.ReadErrorAsync(opened, 0));
        Assert.Equal(ErrorCode.None, (await _rig.AppendAsync(opened, "new")).Error);
        Assert.Equal("new", await EngineRig.ReadAllAsync(opened, 1));
    }

    [Fact]
    public async Task Deleted_records_are_found_by_no_read_and_no_timestamp()
    {
        await using var engine = await _rig.StartAsync();
        await EngineRig.CreateAsync(engine, "t");
        await EngineRig.CreateAsync(engine, "compacted", 1, "cleanup.policy=compact");
        var partition = await _rig.OpenAsync(engine, "t");
        for (var i = 0; i < 5; i++)
            await _rig.AppendAsync(partition, $"{i}", 1000 + i);
        Assert.Equal(new DeletedRecords(ErrorCode.OffsetOutOfRange, -1), await partition.DeleteRecordsAsync(6, CancellationToken.None));
        Assert.Equal(new DeletedRecords(ErrorCode.None, 3), await partition.DeleteRecordsAsync(3, CancellationToken.None));
        Assert.Equal(new DeletedRecords(ErrorCode.None, 3), await partition.DeleteRecordsAsync(1, CancellationToken.None));
        Assert.Equal(ErrorCode.OffsetOutOfRange, await EngineRig.ReadErrorAsync(partition, 2));
        Assert.Equal("34", await EngineRig.ReadAllAsync(partition, 3));
        Assert.Equal(3, (await partition.ListOffsetAsync(-2, IsolationLevel.ReadUncommitted, -1, CancellationToken.None)).Offset);
        Assert.Equal((1003L, 3L), await AtAsync(1001));
        Assert.Equal((1004L, 4L), await AtAsync(1004));
        Assert.Equal(new DeletedRecords(ErrorCode.None, 5), await partition.DeleteRecordsAsync(-1, CancellationToken.None));
        Assert.Equal((-1L, -1L), await AtAsync(1001));
        var compacted = await _rig.OpenAsync(engine, "compacted");
        Assert.Equal(new DeletedRecords(ErrorCode.PolicyViolation, -1), await compacted.DeleteRecordsAsync(-1, CancellationToken.None));

        async Task<(long, long)> AtAsync(long timestamp)
        {
            var found = await partition.ListOffsetAsync(timestamp, IsolationLevel.ReadUncommitted, -1, CancellationToken.None);
            Assert.Equal(ErrorCode.None, found.Error);
            return (found.Timestamp, found.Offset);
        }
    }

    [Fact]
    public async Task The_sweep_takes_what_a_deleted_topic_left_and_nothing_else()
    {
        var rig = new EngineRig(shared: true);
        await using var engine = await rig.StartAsync();
        await EngineRig.CreateAsync(engine, "kept");
        await rig.AppendAsync(await rig.OpenAsync(engine, "kept"), "kept");
        // Another process makes a topic, which this one has not heard of; and something lies about of a topic that is gone.
        await using (var other = await rig.StartAsync())
        {
            await EngineRig.CreateAsync(other, "unheard");
            await rig.AppendAsync(await rig.OpenAsync(other, "unheard"), "unheard");
        }
        var gone = Guid.NewGuid().ToString("N");
        await rig.Store.CreateAsync($"partitions/{gone}/0/segments/00000000000000000000-0-{gone}", default, CancellationToken.None);
        await rig.UntilAsync(() => !rig.Store.Names.Any(n => n.Contains(gone, StringComparison.Ordinal)), stepMs: 60_000);
        Assert.True(engine.Cluster.TopicsByName.TryGetValue("unheard", out var unheard));
        Assert.Contains(rig.Store.Names, n => n.Contains(unheard!.Id.ToString("N"), StringComparison.Ordinal));
    }
}
