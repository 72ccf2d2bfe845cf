using OrleansStream.Protocol;

namespace OrleansStream.Broker.Topics;

/// <summary>An outcome with Kafka's error code and the sentence for the client.</summary>
public readonly record struct AdminError(ErrorCode Code, string? Message = null)
{
    public static readonly AdminError None = new(ErrorCode.None);
    public bool Failed => Code != ErrorCode.None;
}

/// <summary>CreateTopicsRequest, one topic. -1 partitions or replication factor mean the broker's default (KIP-464).</summary>
public sealed record NewTopic(
    string Name, int Partitions, short ReplicationFactor, IReadOnlyList<(int Partition, IReadOnlyList<int> Brokers)> Assignments,
    IReadOnlyDictionary<string, string?> Configs);

/// <summary>What CreateTopics answers for one topic; <see cref="Topic"/> is set on success, also when only validated.</summary>
public sealed record CreateTopicOutcome(AdminError Error, TopicPicture? Topic, IReadOnlyList<ConfigEntry> Configs);

public enum ConfigResourceType : sbyte
{
    Unknown = 0,
    Topic = 2,
    Broker = 4,
    BrokerLogger = 8,
    ClientMetrics = 16,
    Group = 32,
}

/// <summary>Where a value comes from (DescribeConfigsResponse, ConfigSource).</summary>
public enum ConfigSource : sbyte
{
    Unknown = 0,
    DynamicTopic = 1,
    DynamicBroker = 2,
    DynamicDefaultBroker = 3,
    StaticBroker = 4,
    Default = 5,
    DynamicBrokerLogger = 6,
    ClientMetrics = 7,
    Group = 8,
}

/// <summary>The type of a configuration value (DescribeConfigsResponse, ConfigType).</summary>
public enum ConfigType : sbyte
{
    Unknown = 0,
    Boolean = 1,
    String = 2,
    Int = 3,
    Short = 4,
    Long = 5,
    Double = 6,
    List = 7,
    Class = 8,
    Password = 9,
}

/// <summary>One configuration value as DescribeConfigs shows it.</summary>
public sealed record ConfigEntry(
    string Name, string? Value, bool ReadOnly, ConfigSource Source, bool Sensitive, ConfigType Type, string? Documentation,
    IReadOnlyList<(string Name, string? Value, ConfigSource Source)> Synonyms);

/// <summary>IncrementalAlterConfigs operations (KIP-339).</summary>
public enum ConfigOperation : sbyte
{
    Set = 0,
    Delete = 1,
    Append = 2,
    Subtract = 3,
}

public readonly record struct ConfigChange(string Name, ConfigOperation Operation, string? Value);

/// <summary>Topics and configurations: what an admin client may change. Each call answers when the change is durable and visible here.</summary>
public interface ITopicAdmin
{
    ValueTask<CreateTopicOutcome> CreateAsync(NewTopic topic, bool validateOnly, CancellationToken cancel);

    /// <summary>
    /// Creates a topic that a client asked the metadata of (auto.create.topics.enable is the caller's to look at), with the broker's defaults; an internal
    /// topic with its own settings. A topic that is there already is no error.
    /// </summary>
    ValueTask<CreateTopicOutcome> AutoCreateAsync(string name, CancellationToken cancel) =>
        CreateAsync(new NewTopic(name, -1, -1, [], new Dictionary<string, string?>()), validateOnly: false, cancel);

    ValueTask<AdminError> DeleteAsync(TopicPicture topic, CancellationToken cancel);

    /// <summary>CreatePartitions: raises the count to <paramref name="count"/>; assignments may be null.</summary>
    ValueTask<AdminError> AddPartitionsAsync(
        string topic, int count, IReadOnlyList<IReadOnlyList<int>>? assignments, bool validateOnly, CancellationToken cancel);

    /// <summary>All values of a resource, or those named by <paramref name="names"/>.</summary>
    ValueTask<(AdminError Error, IReadOnlyList<ConfigEntry> Entries)> DescribeConfigsAsync(
        ConfigResourceType type, string name, IReadOnlyList<string>? names, CancellationToken cancel);

    /// <summary>The names of the resources of this type that something was set for while the cluster ran, sorted; not of topics.</summary>
    IReadOnlyList<string> ConfiguredResources(ConfigResourceType type);

    ValueTask<AdminError> AlterConfigsAsync(
        ConfigResourceType type, string name, IReadOnlyList<ConfigChange> changes, bool validateOnly, CancellationToken cancel);
}

public static class TopicAdminExtensions
{
    /// <summary>
    /// The older AlterConfigs request: what the resource sets becomes exactly <paramref name="configs"/>. Unlike the incremental form it is not safe
    /// against another change at the same time, in Kafka no more than here.
    /// </summary>
    public static async ValueTask<AdminError> ReplaceConfigsAsync(
        this ITopicAdmin admin, ConfigResourceType type, string name, IReadOnlyDictionary<string, string?> configs, bool validateOnly, CancellationToken cancel)
    {
        var (error, entries) = await admin.DescribeConfigsAsync(type, name, null, cancel);
        if (error.Failed)
            return error;
        var own = type switch
        {
            ConfigResourceType.Topic => ConfigSource.DynamicTopic,
            ConfigResourceType.Broker => name.Length == 0 ? ConfigSource.DynamicDefaultBroker : ConfigSource.DynamicBroker,
            ConfigResourceType.ClientMetrics => ConfigSource.ClientMetrics,
            ConfigResourceType.Group => ConfigSource.Group,
            _ => ConfigSource.Unknown,
        };
        List<ConfigChange> changes = [.. configs.Select(c => new ConfigChange(c.Key, ConfigOperation.Set, c.Value))];
        changes.AddRange(entries.Where(e => e.Source == own && !configs.ContainsKey(e.Name)).Select(e => new ConfigChange(e.Name, ConfigOperation.Delete, null)));
        return await admin.AlterConfigsAsync(type, name, changes, validateOnly, cancel);
    }
}
