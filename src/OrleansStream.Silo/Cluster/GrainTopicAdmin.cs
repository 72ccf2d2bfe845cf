using Orleans;
using OrleansStream.Broker.Engine;
using OrleansStream.Broker.Topics;
using OrleansStream.Grains;
using OrleansStream.Silo.Hosting;

namespace OrleansStream.Silo.Cluster;

/// <summary>
/// What Kafka's admin clients change, changed where its owner is: a topic by its grain, the rest by this silo, after which the controller tells all. Answers
/// when this silo shows it. Questions and validations are answered here.
/// </summary>
internal sealed class GrainTopicAdmin(IGrainFactory grains, SiloEngine engine, ClusterLink link) : ITopicAdmin
{
    private static readonly TimeSpan ShownWithin = TimeSpan.FromSeconds(5);

    private BrokerEngine Engine => engine.Engine;

    public ValueTask<CreateTopicOutcome> CreateAsync(NewTopic topic, bool validateOnly, CancellationToken cancel)
    {
        if (validateOnly || topic.Name.Length == 0)
            return Engine.Topics.CreateAsync(topic, validateOnly, cancel);
        return CreateAsync(topic.Name, new TopicSpec
        {
            Partitions = topic.Partitions,
            ReplicationFactor = topic.ReplicationFactor,
            Configs = new(topic.Configs),
            Assignments = [.. topic.Assignments.Select(static a => new TopicAssignment(a.Partition, [.. a.Brokers]))],
        });
    }

    public ValueTask<CreateTopicOutcome> AutoCreateAsync(string name, CancellationToken cancel) => CreateAsync(name, new TopicSpec { Auto = true });

    public async ValueTask<AdminError> DeleteAsync(TopicPicture topic, CancellationToken cancel) =>
        await ChangeAsync(() => grains.GetGrain<ITopicGrain>(topic.Name).DeleteAsync(topic.Id));

    public async ValueTask<AdminError> AddPartitionsAsync(
        string topic, int count, IReadOnlyList<IReadOnlyList<int>>? assignments, bool validateOnly, CancellationToken cancel)
    {
        if (validateOnly || topic.Length == 0)
            return await Engine.Topics.AddPartitionsAsync(topic, count, assignments, validateOnly, cancel);
        int[][]? replicas = assignments is null ? null : [.. assignments.Select(static a => a.ToArray())];
        return await ChangeAsync(() => grains.GetGrain<ITopicGrain>(topic).AddPartitionsAsync(count, replicas));
    }

    public ValueTask<(AdminError Error, IReadOnlyList<ConfigEntry> Entries)> DescribeConfigsAsync(
        ConfigResourceType type, string name, IReadOnlyList<string>? names, CancellationToken cancel) =>
        Engine.Topics.DescribeConfigsAsync(type, name, names, cancel);

    public IReadOnlyList<string> ConfiguredResources(ConfigResourceType type) => Engine.Topics.ConfiguredResources(type);

    public async ValueTask<AdminError> AlterConfigsAsync(
        ConfigResourceType type, string name, IReadOnlyList<ConfigChange> changes, bool validateOnly, CancellationToken cancel)
    {
        if (!validateOnly && type == ConfigResourceType.Topic && name.Length > 0)
        {
            return await ChangeAsync(() => grains.GetGrain<ITopicGrain>(name).AlterConfigsAsync(
                [.. changes.Select(static c => new TopicConfigChange(c.Name, (sbyte)c.Operation, c.Value))]));
        }
        AdminError error = await Engine.Topics.AlterConfigsAsync(type, name, changes, validateOnly, cancel);
        if (validateOnly || error.Failed)
            return error;
        return await ChangeAsync(async () => new TopicOutcome(0, null, null, await grains.GetGrain<IClusterGrain>(0).ConfigsChangedAsync()));
    }

    private async ValueTask<CreateTopicOutcome> CreateAsync(string name, TopicSpec spec)
    {
        AdminError error = await ChangeAsync(() => grains.GetGrain<ITopicGrain>(name).CreateAsync(spec));
        if (error.Failed)
            return new CreateTopicOutcome(error, null, []);
        if (!Engine.Cluster.TopicsByName.TryGetValue(name, out TopicPicture? topic))
            return new CreateTopicOutcome(new AdminError(ErrorCode.UnknownTopicOrPartition, "The topic was deleted meanwhile."), null, []);
        (_, IReadOnlyList<ConfigEntry> entries) = await Engine.Topics.DescribeConfigsAsync(ConfigResourceType.Topic, name, null, CancellationToken.None);
        return new CreateTopicOutcome(AdminError.None, topic, entries);
    }

    private async ValueTask<AdminError> ChangeAsync(Func<Task<TopicOutcome>> change)
    {
        try
        {
            TopicOutcome outcome = await change();
            if (outcome.Version > 0)
                await link.ReachedAsync(outcome.Version, ShownWithin);
            return new AdminError((ErrorCode)outcome.ErrorCode, outcome.Message);
        }
        catch (Exception e)
        {
            // Whatever Orleans throws: the grain's silo may have died before or after the change.
            return new AdminError(ErrorCode.RequestTimedOut, $"The topic's owner did not answer, the change may have happened or not: {e.Message}");
        }
    }
}
