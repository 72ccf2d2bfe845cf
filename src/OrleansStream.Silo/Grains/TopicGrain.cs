using Orleans;
using OrleansStream.Broker.Topics;
using OrleansStream.Grains;
using OrleansStream.Silo.Cluster;
using OrleansStream.Silo.Hosting;
using OrleansStream.Storage;
using OrleansStream.Storage.Ports;

namespace OrleansStream.Silo.Grains;

/// <summary>A topic's owner: changes of one topic take turns here, by Broker's rules, and the controller hears of each before the caller does.</summary>
[GrainType("topic")]
internal sealed class TopicGrain(SiloEngine engine, ClusterKnowledge knowledge) : Grain, ITopicGrain
{
    private string Name => this.GetPrimaryKeyString();

    private ITopicAdmin Rules => engine.Engine.Topics;

    public Task<TopicOutcome> CreateAsync(TopicSpec spec) => ChangeAsync(async () =>
    {
        if (spec.Auto)
            return (await Rules.AutoCreateAsync(Name, CancellationToken.None)).Error;
        var topic = new NewTopic(
            Name, spec.Partitions, spec.ReplicationFactor,
            [.. spec.Assignments.Select(static a => (a.Partition, (IReadOnlyList<int>)a.Brokers))], spec.Configs);
        return (await Rules.CreateAsync(topic, validateOnly: false, CancellationToken.None)).Error;
    });

    public async Task<TopicOutcome> DescribeAsync()
    {
        await engine.Engine.TopicsChangedAsync([Name], CancellationToken.None);
        return Known() is { } topic ? new TopicOutcome(0, null, topic, 0) : new TopicOutcome((short)ErrorCode.UnknownTopicOrPartition, null, null, 0);
    }

    public async Task<TopicDetails> DetailsAsync()
    {
        await engine.Engine.TopicsChangedAsync([Name], CancellationToken.None);
        if (!engine.Engine.Cluster.TopicsByName.TryGetValue(Name, out TopicPicture? topic))
            return new TopicDetails((short)ErrorCode.UnknownTopicOrPartition, null, [], []);
        (AdminError error, IReadOnlyList<ConfigEntry> configs) = await Rules.DescribeConfigsAsync(ConfigResourceType.Topic, Name, null, CancellationToken.None);
        return new TopicDetails(
            (short)error.Code, Known(topic), [.. configs.Select(static c => new TopicSetting(c.Name, c.Value, (sbyte)c.Source))],
            [.. topic.Partitions.Select((p, index) => new PartitionPlace(
                p.LeaderId, p.LeaderEpoch, knowledge.SiloOf(new PartitionId(topic.Id, index))?.ToParsableString()))]);
    }

    public Task<TopicOutcome> AddPartitionsAsync(int count, int[][]? assignments) =>
        ChangeAsync(async () => await Rules.AddPartitionsAsync(Name, count, assignments, validateOnly: false, CancellationToken.None));

    public Task<TopicOutcome> DeleteAsync(Guid id) => ChangeAsync(async () =>
        engine.Engine.Cluster.TopicsByName.TryGetValue(Name, out TopicPicture? topic) && (id == Guid.Empty || topic.Id == id)
            ? await Rules.DeleteAsync(topic, CancellationToken.None) : new AdminError(ErrorCode.UnknownTopicOrPartition));

    public Task<TopicOutcome> AlterConfigsAsync(TopicConfigChange[] changes) => ChangeAsync(async () => await Rules.AlterConfigsAsync(
        ConfigResourceType.Topic, Name, [.. changes.Select(static c => new ConfigChange(c.Name, (ConfigOperation)c.Operation, c.Value))],
        validateOnly: false, CancellationToken.None));

    private async Task<TopicOutcome> ChangeAsync(Func<Task<AdminError>> change)
    {
        try
        {
            // Another silo may have changed it last.
            await engine.Engine.TopicsChangedAsync([Name], CancellationToken.None);
            AdminError error = await change();
            // Told in any case: a change whose end is unknown may have happened.
            long version = await GrainFactory.GetGrain<IClusterGrain>(0).TopicsChangedAsync([Name]);
            return new TopicOutcome((short)error.Code, error.Message, Known(), version);
        }
        catch (StoreUnavailableException e)
        {
            return new TopicOutcome((short)ErrorCode.RequestTimedOut, $"The store did not answer: {e.Message}", null, 0);
        }
    }

    private TopicInfo? Known() => engine.Engine.Cluster.TopicsByName.TryGetValue(Name, out TopicPicture? topic) ? Known(topic) : null;

    private static TopicInfo Known(TopicPicture topic) => new(topic.Name, topic.Id, topic.Partitions.Count, topic.ReplicationFactor);
}
