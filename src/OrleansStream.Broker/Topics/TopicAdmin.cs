using System.Collections.Immutable;
using OrleansStream.Broker.Configuration;
using OrleansStream.Protocol;
using OrleansStream.Storage.Ports;

namespace OrleansStream.Broker.Topics;

/// <summary>
/// Creates, deletes and widens topics by Kafka's rules, in Kafka's order of checks. Configurations are <see cref="ConfigAdmin"/>'s.
/// </summary>
internal sealed class TopicAdmin(TopicCatalogue catalogue, ClusterView view, ConfigStore configs, RuntimePorts ports) : ITopicAdmin
{
    private readonly ConfigAdmin _configAdmin = new(catalogue, view, configs);

    public async ValueTask<CreateTopicOutcome> CreateAsync(NewTopic topic, bool validateOnly, CancellationToken cancel)
    {
        try
        {
            var stored = Validate(topic);
            if (!validateOnly)
            {
                if (await catalogue.CreateAsync(topic.Name, stored, cancel) is var there && there.Id != stored.Id)
                    throw AlreadyExists(topic.Name);
                await view.PublishedAsync();
            }
            return new CreateTopicOutcome(
                AdminError.None, view.Draw(topic.Name, stored), TopicConfigDefinitions.Describe(stored.Configs, configs.Settings.Layers, null));
        }
        catch (RefusedException refused)
        {
            return new CreateTopicOutcome(refused.Error, null, []);
        }
        catch (StoreUnavailableException e)
        {
            return new CreateTopicOutcome(Unavailable(e), null, []);
        }
    }

    public async ValueTask<CreateTopicOutcome> AutoCreateAsync(string name, CancellationToken cancel)
    {
        var layers = configs.Settings.Layers;
        var topic = name switch
        {
            "__consumer_offsets" => Internal("offsets.topic", "compact"),
            "__transaction_state" => Internal("transaction.state.log", "compact"),
            "__share_group_state" => Internal("share.coordinator.state.topic", "delete"),
            _ => new NewTopic(name, -1, -1, [], ImmutableDictionary<string, string?>.Empty),
        };
        var outcome = await CreateAsync(topic, validateOnly: false, cancel);
        // Somebody else was first: as good as done.
        if (outcome.Error.Code == ErrorCode.TopicAlreadyExists && catalogue.Find(name) is { } there)
            return new CreateTopicOutcome(AdminError.None, view.Draw(name, there), []);
        return outcome;

        NewTopic Internal(string prefix, string policy) => new(
            name, layers.Int($"{prefix}.num.partitions"), (short)layers.Int($"{prefix}.replication.factor"), [],
            new Dictionary<string, string?>
            {
                ["cleanup.policy"] = policy,
                ["compression.type"] = "producer",
                // Kafka's rule for topics has a floor that its broker settings do not have.
                [layers.Int($"{prefix}.segment.bytes") < 1 << 20 ? "internal.segment.bytes" : "segment.bytes"] = layers.String($"{prefix}.segment.bytes"),
            });
    }

    public async ValueTask<AdminError> DeleteAsync(TopicPicture topic, CancellationToken cancel)
    {
        if (!configs.Settings.DeleteTopics)
            return new AdminError(ErrorCode.TopicDeletionDisabled);
        try
        {
            var deleted = await catalogue.DeleteAsync(topic.Name, topic.Id, cancel);
            await view.PublishedAsync();
            return deleted ? AdminError.None : new AdminError(ErrorCode.UnknownTopicOrPartition);
        }
        catch (StoreUnavailableException e)
        {
            return Unavailable(e);
        }
    }

    public async ValueTask<AdminError> AddPartitionsAsync(
        string topic, int count, IReadOnlyList<IReadOnlyList<int>>? assignments, bool validateOnly, CancellationToken cancel)
    {
        try
        {
            if (catalogue.Find(topic) is not { } there)
                return new AdminError(ErrorCode.UnknownTopicOrPartition);
            CheckMore(topic, there);
            if (validateOnly)
                return AdminError.None;
            var changed = await catalogue.ChangeAsync(topic, there.Id, now =>
            {
                // Somebody else may have widened it since.
                CheckMore(topic, now);
                return now with { Partitions = count };
            }, cancel);
            await view.PublishedAsync();
            return changed is null ? new AdminError(ErrorCode.UnknownTopicOrPartition) : AdminError.None;
        }
        catch (RefusedException refused)
        {
            return refused.Error;
        }
        catch (StoreUnavailableException e)
        {
            return Unavailable(e);
        }

        void CheckMore(string name, StoredTopic now)
        {
            if (count == now.Partitions)
                throw new RefusedException(ErrorCode.InvalidPartitions, $"Topic already has {count} partition(s).");
            if (count < now.Partitions)
            {
                throw new RefusedException(
                    ErrorCode.InvalidPartitions, $"The topic {name} currently has {now.Partitions} partition(s); {count} would not be an increase.");
            }
            var more = count - now.Partitions;
            if (more > Placement.MaxPartitionsPerRequest)
                throw new RefusedException(ErrorCode.PolicyViolation, "Excessively large number of partitions per request.");
            if (assignments is null)
                return;
            if (assignments.Count != more)
            {
                throw new RefusedException(ErrorCode.InvalidReplicaAssignment,
                    $"Attempted to add {more} additional partition(s), but only {assignments.Count} assignment(s) were specified.");
            }
            Placement.CheckAssignments(assignments, now.ReplicationFactor, Brokers, configs.Settings.StrictReplicationFactor);
        }
    }

    public ValueTask<(AdminError Error, IReadOnlyList<ConfigEntry> Entries)> DescribeConfigsAsync(
        ConfigResourceType type, string name, IReadOnlyList<string>? names, CancellationToken cancel) => new(_configAdmin.Describe(type, name, names));

    public IReadOnlyList<string> ConfiguredResources(ConfigResourceType type) => configs.Stored.Names(type);

    public ValueTask<AdminError> AlterConfigsAsync(
        ConfigResourceType type, string name, IReadOnlyList<ConfigChange> changes, bool validateOnly, CancellationToken cancel) =>
        _configAdmin.AlterAsync(type, name, changes, validateOnly, cancel);

    /// <summary>The topic that would be made; throws <see cref="RefusedException"/>.</summary>
    private StoredTopic Validate(NewTopic topic)
    {
        if (topic.Name == TopicNames.ClusterMetadata)
            throw new RefusedException(ErrorCode.InvalidRequest, $"Creation of internal topic {topic.Name} is prohibited.");
        if (TopicNames.Check(topic.Name) is { Failed: true } bad)
            throw new RefusedException(bad.Code, bad.Message!);
        if (catalogue.Find(topic.Name) is not null)
            throw AlreadyExists(topic.Name);
        if (catalogue.Colliding(topic.Name) is { } other)
            throw new RefusedException(ErrorCode.InvalidTopicException, $"Topic '{topic.Name}' collides with existing topic: {other}");
        IReadOnlyDictionary<string, string> values;
        try
        {
            values = TopicConfigDefinitions.Check(topic.Configs, configs.Settings.Layers);
        }
        catch (ConfigException e)
        {
            throw new RefusedException(ErrorCode.InvalidConfig, e.Message);
        }
        var (partitions, factor) = Placement.Decide(topic, configs.Settings, Brokers);
        return new StoredTopic(ports.Random.NextGuid(), partitions, factor, ports.NowMilliseconds, values);
    }

    private IReadOnlyList<BrokerPicture> Brokers => view.Current.Brokers;

    private static RefusedException AlreadyExists(string name) => new(ErrorCode.TopicAlreadyExists, $"Topic '{name}' already exists.");

    /// <summary>Retriable, and honest about not knowing: the change may have happened.</summary>
    internal static AdminError Unavailable(StoreUnavailableException e) =>
        new(ErrorCode.RequestTimedOut, $"The store did not answer, the change may have happened or not: {e.Message}");
}
