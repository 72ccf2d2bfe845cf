using System.Buffers;
using Orleans.Runtime;
using Orleans.TestingHost;
using OrleansStream.Broker.Engine;
using OrleansStream.Broker.Partitions;
using OrleansStream.Broker.Topics;
using OrleansStream.Grains;
using OrleansStream.Silo.Storage;
using OrleansStream.Storage;

namespace OrleansStream.Silo.Tests.Clusters;

/// <summary>Grains, placement and the controller in Orleans' test cluster: what a client of Orleans sees of topics while silos come and go.</summary>
public sealed class BrokerClusterTests : IAsyncLifetime
{
    private const int Partitions = 7;

    private BrokerCluster _cluster = null!;

    public async Task InitializeAsync() => _cluster = await BrokerCluster.StartAsync(3);

    public async Task DisposeAsync() => await _cluster.DisposeAsync();

    [Fact]
    public async Task Partitions_are_spread_over_the_silos_and_served_by_their_grains()
    {
        TopicInfo topic = await _cluster.CreateTopicAsync("spread", Partitions);
        int[] leaders = await _cluster.EvenAsync(topic);
        for (int i = 0; i < Partitions; i++)
        {
            Assert.Equal(0, await _cluster.AppendAsync(topic, i, $"a{i}", $"b{i}"));
            Assert.Equal(2, await _cluster.AppendAsync(topic, i, $"c{i}"));
            Assert.Equal([$"a{i}", $"b{i}", $"c{i}"], await _cluster.ValuesAsync(topic, i));
            Assert.Equal((short)0, (await _cluster.Partition(topic, i).DescribeAsync()).ErrorCode);
            InProcessSiloHandle leader = Assert.Single(_cluster.Silos, s => BrokerCluster.EngineOf(s).Me.NodeId == leaders[i]);
            Assert.Equal(ErrorCode.None, (await LeaseAsync(BrokerCluster.EngineOf(leader), topic, i)).Error);
            foreach (InProcessSiloHandle other in _cluster.Silos.Where(s => s != leader))
                Assert.Equal(ErrorCode.NotLeaderOrFollower, (await LeaseAsync(BrokerCluster.EngineOf(other), topic, i)).Error);
        }
        Assert.Empty(_cluster.Failures);
    }

    [Fact]
    public async Task A_topic_says_how_it_is_configured_and_where_its_partitions_are()
    {
        TopicInfo topic = await _cluster.CreateTopicAsync("described", Partitions);
        var grain = _cluster.Grains.GetGrain<ITopicGrain>("described");
        const string own = "retention.ms", other = "segment.bytes";
        Assert.Equal((short)0, (await grain.AlterConfigsAsync([new TopicConfigChange(own, 0, "86400000")])).ErrorCode);
        int[] leaders = await _cluster.EvenAsync(topic);

        TopicDetails details = await grain.DetailsAsync();
        Assert.Equal(topic, details.Topic);
        Assert.Equal(new TopicSetting(own, "86400000", (sbyte)ConfigSource.DynamicTopic), Assert.Single(details.Configs, static c => c.Name == own));
        Assert.Equal((sbyte)ConfigSource.Default, Assert.Single(details.Configs, static c => c.Name == other).Source);
        Assert.Equal(leaders, details.Partitions.Select(static p => p.Leader));
        Assert.All(details.Partitions, p => Assert.Equal(
            Assert.Single(_cluster.Silos, s => BrokerCluster.EngineOf(s).Me.NodeId == p.Leader).SiloAddress.ToParsableString(), p.Silo));
        Assert.All(details.Partitions, static p => Assert.True(p.LeaderEpoch >= 0));

        Assert.Equal((short)0, (await grain.DeleteAsync(topic.Id)).ErrorCode);
        Assert.Equal((short)ErrorCode.UnknownTopicOrPartition, (await grain.DetailsAsync()).ErrorCode);
    }

    [Fact]
    public async Task A_silo_that_joins_takes_its_share_and_one_that_leaves_hands_it_over()
    {
        TopicInfo topic = await _cluster.CreateTopicAsync("shared", Partitions);
        for (int i = 0; i < Partitions; i++)
            await _cluster.AppendAsync(topic, i, $"before {i}");
        InProcessSiloHandle joined = await _cluster.JoinAsync();
        int[] leaders = await _cluster.EvenAsync(topic);
        Assert.Contains(BrokerCluster.EngineOf(joined).Me.NodeId, leaders);
        for (int i = 0; i < Partitions; i++)
            Assert.Equal(1, await _cluster.AppendAsync(topic, i, $"joined {i}"));

        await _cluster.StopAsync(joined);
        await _cluster.EvenAsync(topic);
        for (int i = 0; i < Partitions; i++)
        {
            Assert.Equal(2, await _cluster.AppendAsync(topic, i, $"left {i}"));
            Assert.Equal([$"before {i}", $"joined {i}", $"left {i}"], await _cluster.ValuesAsync(topic, i));
        }
        Assert.Empty(_cluster.Failures);
    }

    /// <summary>Who is dead for membership may run, and believe that it leads: its journal, which others have fenced, decides.</summary>
    [Fact]
    public async Task What_a_dead_silo_led_others_lead_and_it_makes_nothing_durable_any_more()
    {
        TopicInfo topic = await _cluster.CreateTopicAsync("fenced", Partitions);
        for (int i = 0; i < Partitions; i++)
            await _cluster.AppendAsync(topic, i, $"before {i}");
        int[] leaders = await _cluster.EvenAsync(topic);
        InProcessSiloHandle victim = _cluster.Silos[1];
        BrokerEngine engine = BrokerCluster.EngineOf(victim);
        var held = new Dictionary<int, IPartition>();
        foreach (int i in Enumerable.Range(0, Partitions).Where(i => leaders[i] == engine.Me.NodeId))
            held.Add(i, (await LeaseAsync(engine, topic, i)).Partition!);
        Assert.NotEmpty(held);
        await _cluster.DeclareDeadAsync(victim);

        Assert.DoesNotContain(engine.Me.NodeId, await _cluster.EvenAsync(topic));
        foreach ((int i, IPartition partition) in held)
        {
            AppendResult late = await partition.AppendAsync(new ReadOnlySequence<byte>(BrokerCluster.Batch("late")), Acks.All, 12);
            Assert.Equal(ErrorCode.NotLeaderOrFollower, late.Error);
        }
        for (int i = 0; i < Partitions; i++)
        {
            Assert.Equal(1, await _cluster.AppendAsync(topic, i, $"after {i}"));
            Assert.Equal([$"before {i}", $"after {i}"], await _cluster.ValuesAsync(topic, i));
        }
    }

    [Fact]
    public async Task Grains_of_a_deleted_topic_end()
    {
        TopicInfo topic = await _cluster.CreateTopicAsync("deleted", Partitions);
        GrainId[] grains = [.. Enumerable.Range(0, Partitions).Select(i => PartitionGrainId.Of(new PartitionId(topic.Id, i)))];
        await BrokerCluster.EventuallyAsync("every partition has its grain", () => grains.All(_cluster.IsActive) ? grains : null);
        Task[] ended = [.. grains.Select(_cluster.DeactivatedAsync)];
        Assert.Equal((short)0, (await _cluster.Grains.GetGrain<ITopicGrain>("deleted").DeleteAsync(topic.Id)).ErrorCode);
        await Task.WhenAll(ended);
        await BrokerCluster.EventuallyAsync("no grain is left", () => grains.Any(_cluster.IsActive) ? null : grains);
    }

    private static ValueTask<PartitionLease> LeaseAsync(BrokerEngine engine, TopicInfo topic, int index) =>
        engine.GetPartitionAsync(engine.Cluster.TopicsById[topic.Id], index, CancellationToken.None);
}
