using System.Collections.Immutable;
using OrleansStream.Broker.Configuration;
using OrleansStream.Protocol;
using OrleansStream.Storage.Ports;

namespace OrleansStream.Broker.Topics;

/// <summary>DescribeConfigs and IncrementalAlterConfigs, for every kind of resource.</summary>
internal sealed class ConfigAdmin(TopicCatalogue catalogue, ClusterView view, ConfigStore configs)
{
    private ConfigLayers Layers => configs.Settings.Layers;

    public (AdminError, IReadOnlyList<ConfigEntry>) Describe(ConfigResourceType type, string name, IReadOnlyList<string>? names)
    {
        try
        {
            return (AdminError.None, Entries(type, name, names));
        }
        catch (RefusedException refused)
        {
            return (refused.Error, []);
        }
    }

    private IReadOnlyList<ConfigEntry> Entries(ConfigResourceType type, string name, IReadOnlyList<string>? names)
    {
        switch (type)
        {
            case ConfigResourceType.Topic:
                return TopicConfigDefinitions.Describe(FindTopic(name, "").Configs, Layers, names);
            case ConfigResourceType.Broker:
                BrokerConfigChanges.CheckName(name, configs.Settings.NodeId);
                return BrokerConfigChanges.Describe(Layers, clusterDefault: name.Length == 0, names);
            case ConfigResourceType.BrokerLogger:
                CheckLogger(name);
                return names is null || names.Contains(RootLogger)
                    ? [new ConfigEntry(RootLogger, "INFO", ReadOnly: true, ConfigSource.DynamicBrokerLogger, Sensitive: false, ConfigType.String, null, [])] : [];
            case ConfigResourceType.ClientMetrics when name.Length == 0:
                throw new RefusedException(ErrorCode.InvalidRequest, "Client metrics subscription name must not be empty");
            case ConfigResourceType.Group when name.Length == 0:
                throw new RefusedException(ErrorCode.InvalidRequest, "Group name must not be empty");
            case ConfigResourceType.ClientMetrics or ConfigResourceType.Group:
                return NamedResources.Describe(type, configs.Stored.Of(type, name), Layers, names);
            default:
                throw new RefusedException(ErrorCode.InvalidRequest, $"Unsupported resource type: {type}");
        }
    }

    public async ValueTask<AdminError> AlterAsync(
        ConfigResourceType type, string name, IReadOnlyList<ConfigChange> changes, bool validateOnly, CancellationToken cancel)
    {
        try
        {
            ConfigChanges.CheckForm(changes);
            switch (type)
            {
                case ConfigResourceType.Topic:
                    await AlterTopicAsync(name, changes, validateOnly, cancel);
                    break;
                case ConfigResourceType.Broker:
                    BrokerConfigChanges.CheckName(name, configs.Settings.NodeId);
                    await AlterStoredAsync(type, name, now => AlteredBroker(name, now, changes), validateOnly, cancel);
                    break;
                case ConfigResourceType.BrokerLogger:
                    AlterLogger(name, changes);
                    break;
                case ConfigResourceType.ClientMetrics when name.Length == 0:
                    throw new RefusedException(ErrorCode.InvalidRequest, "Subscription name can't be empty");
                case ConfigResourceType.Group when name.Length == 0:
                    throw new RefusedException(ErrorCode.InvalidRequest, "Default group resources are not allowed.");
                case ConfigResourceType.ClientMetrics or ConfigResourceType.Group:
                    await AlterStoredAsync(type, name, now => NamedResources.Check(
                        type, ConfigChanges.Apply(now, changes, n => NamedResources.Find(type, n), n => NamedResources.Effective(type, n, Layers)), Layers),
                        validateOnly, cancel);
                    break;
                default:
                    throw new RefusedException(ErrorCode.InvalidRequest, $"Unsupported resource type: {type}");
            }
            return AdminError.None;
        }
        catch (RefusedException refused)
        {
            return refused.Error;
        }
        catch (StoreUnavailableException e)
        {
            return TopicAdmin.Unavailable(e);
        }
    }

    private async ValueTask AlterTopicAsync(string name, IReadOnlyList<ConfigChange> changes, bool validateOnly, CancellationToken cancel)
    {
        if (name.Length == 0)
            throw new RefusedException(ErrorCode.InvalidRequest, "Default topic resources are not allowed.");
        var topic = FindTopic(name, $"The topic '{name}' does not exist.");
        var after = AlteredTopic(topic, changes);
        if (validateOnly)
            return;
        if (await catalogue.ChangeAsync(name, topic.Id, now => AlteredTopic(now, changes), cancel) is null)
            throw new RefusedException(ErrorCode.UnknownTopicOrPartition, $"The topic '{name}' does not exist.");
        await view.PublishedAsync();
    }

    private StoredTopic AlteredTopic(StoredTopic topic, IReadOnlyList<ConfigChange> changes)
    {
        var values = ConfigChanges.Apply(
            topic.Configs.ToImmutableDictionary(), changes, TopicConfigDefinitions.All.GetValueOrDefault,
            n => TopicConfigDefinitions.All.ContainsKey(n) ? TopicConfigDefinitions.Effective(n, topic.Configs, Layers) : null);
        try
        {
            return topic with { Configs = TopicConfigDefinitions.Check(values.Select(v => new KeyValuePair<string, string?>(v.Key, v.Value)), Layers) };
        }
        catch (ConfigException e)
        {
            throw new RefusedException(ErrorCode.InvalidConfig, e.Message);
        }
    }

    private ImmutableDictionary<string, string> AlteredBroker(string name, ImmutableDictionary<string, string> now, IReadOnlyList<ConfigChange> changes)
    {
        BrokerConfigChanges.Check(now, changes, clusterDefault: name.Length == 0);
        var values = BrokerConfigChanges.Check(
            ConfigChanges.Apply(now, changes, BrokerConfigDefinitions.Find, Layers.Text), changes, clusterDefault: name.Length == 0);
        try
        {
            _ = BrokerSettings.From(configs.LayersWith(configs.Stored.With(ConfigResourceType.Broker, name, values)));
            return values;
        }
        catch (ConfigException e)
        {
            throw new RefusedException(ErrorCode.InvalidRequest, e.Message);
        }
    }

    private async ValueTask AlterStoredAsync(
        ConfigResourceType type, string name, Func<ImmutableDictionary<string, string>, ImmutableDictionary<string, string>> change, bool validateOnly,
        CancellationToken cancel)
    {
        _ = change(configs.Stored.Of(type, name));
        if (validateOnly)
            return;
        await configs.UpdateAsync(type, name, change, cancel);
        await view.PublishedAsync();
    }

    private StoredTopic FindTopic(string name, string notThere)
    {
        if (TopicNames.Check(name) is { Failed: true } bad)
            throw new RefusedException(bad.Code, bad.Message!);
        return catalogue.Find(name) ?? throw new RefusedException(ErrorCode.UnknownTopicOrPartition, notThere);
    }

    private const string RootLogger = "root";

    private void CheckLogger(string name)
    {
        if (name.Length == 0)
            throw new RefusedException(ErrorCode.InvalidRequest, "Broker id must not be empty");
        BrokerConfigChanges.CheckName(name, configs.Settings.NodeId);
    }

    /// <summary>Log levels are the process's own (its Logging section): shown as one logger, which cannot be changed from here.</summary>
    private void AlterLogger(string name, IReadOnlyList<ConfigChange> changes)
    {
        CheckLogger(name);
        foreach (var change in changes)
        {
            if (change.Operation is ConfigOperation.Append or ConfigOperation.Subtract)
            {
                throw new RefusedException(
                    ErrorCode.InvalidRequest, $"{change.Operation.ToString().ToUpperInvariant()} operation is not allowed for the BROKER_LOGGER resource");
            }
            if (change.Name != RootLogger)
                throw new RefusedException(ErrorCode.InvalidConfig, $"Logger {change.Name} does not exist!");
            throw change.Operation == ConfigOperation.Delete
                ? new RefusedException(ErrorCode.InvalidRequest, "Removing the log level of the root logger is not allowed")
                : new RefusedException(ErrorCode.InvalidRequest, "Log levels are set in the Logging section of the process's own configuration");
        }
    }
}
