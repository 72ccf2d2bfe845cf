namespace OrleansStream.Grains;

/// <summary>A topic that is to be made.</summary>
[GenerateSerializer, Immutable, Alias("OrleansStream.TopicSpec")]
public sealed record TopicSpec
{
    /// <summary>How many partitions; -1: the cluster's default.</summary>
    [Id(0)]
    public int Partitions { get; init; } = -1;

    /// <summary>The replication factor that Kafka clients are told; -1: the cluster's default. Durability comes from the store, whatever it is.</summary>
    [Id(1)]
    public short ReplicationFactor { get; init; } = -1;

    /// <summary>Topic settings by Kafka's names (retention.ms, ...).</summary>
    [Id(2)]
    public Dictionary<string, string?> Configs { get; init; } = [];

    /// <summary>Replicas by partition, as an admin client may name them; how many there are counts, not where.</summary>
    [Id(3)]
    public TopicAssignment[] Assignments { get; init; } = [];

    /// <summary>Whether the topic is made because a client asked for it: one that is there already is no error, an internal one gets its own settings.</summary>
    [Id(4)]
    public bool Auto { get; init; }
}

/// <summary>The replicas that an admin client wants for a partition.</summary>
[GenerateSerializer, Immutable, Alias("OrleansStream.TopicAssignment")]
public sealed record TopicAssignment([property: Id(0)] int Partition, [property: Id(1)] int[] Brokers);

/// <summary>One change of a configuration value: 0 set, 1 delete, 2 append, 3 subtract (KIP-339).</summary>
[GenerateSerializer, Immutable, Alias("OrleansStream.TopicConfigChange")]
public sealed record TopicConfigChange([property: Id(0)] string Name, [property: Id(1)] sbyte Operation, [property: Id(2)] string? Value);

/// <summary>A topic that lives.</summary>
[GenerateSerializer, Immutable, Alias("OrleansStream.TopicInfo")]
public sealed record TopicInfo(
    [property: Id(0)] string Name, [property: Id(1)] Guid Id, [property: Id(2)] int Partitions, [property: Id(3)] short ReplicationFactor);

/// <summary>What became of a call: Kafka's error code (0: none) with a sentence, and the topic where there is one.</summary>
/// <param name="Version">The version of the cluster's picture that shows the change.</param>
[GenerateSerializer, Immutable, Alias("OrleansStream.TopicOutcome")]
public sealed record TopicOutcome(
    [property: Id(0)] short ErrorCode, [property: Id(1)] string? Message, [property: Id(2)] TopicInfo? Topic, [property: Id(3)] long Version);

/// <summary>A topic with its configuration, and which silos have its partitions; Kafka's error code where there is none.</summary>
/// <param name="Configs">Every setting of the topic, in the order of the names.</param>
/// <param name="Partitions">By index.</param>
[GenerateSerializer, Immutable, Alias("OrleansStream.TopicDetails")]
public sealed record TopicDetails(
    [property: Id(0)] short ErrorCode, [property: Id(1)] TopicInfo? Topic, [property: Id(2)] TopicSetting[] Configs, [property: Id(3)] PartitionPlace[] Partitions);

/// <summary>A setting as it acts.</summary>
/// <param name="Source">Where the value is from, as DescribeConfigs numbers it: 1 the topic, 2 to 4 the brokers, 5 the default.</param>
[GenerateSerializer, Immutable, Alias("OrleansStream.TopicSetting")]
public sealed record TopicSetting([property: Id(0)] string Name, [property: Id(1)] string? Value, [property: Id(2)] sbyte Source);

/// <summary>Where a partition is.</summary>
/// <param name="Leader">The node id of the broker that it is assigned to; -1: none.</param>
/// <param name="LeaderEpoch">The epoch under which that broker serves it; -1: not yet.</param>
/// <param name="Silo">The silo that is this broker, as Orleans writes its address; null where it is not known.</param>
[GenerateSerializer, Immutable, Alias("OrleansStream.PartitionPlace")]
public sealed record PartitionPlace([property: Id(0)] int Leader, [property: Id(1)] int LeaderEpoch, [property: Id(2)] string? Silo);
