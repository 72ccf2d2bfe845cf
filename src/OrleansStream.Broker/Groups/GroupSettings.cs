using OrleansStream.Broker.Configuration;
using OrleansStream.Broker.Groups.Consumer;

namespace OrleansStream.Broker.Groups;

/// <summary>What the coordinators take from the broker's settings (names in the comments); times in milliseconds, sizes in bytes.</summary>
internal sealed record GroupSettings
{
    /// <summary>group.min.session.timeout.ms</summary>
    public int MinSessionTimeoutMs { get; init; } = 6000;

    /// <summary>group.max.session.timeout.ms</summary>
    public int MaxSessionTimeoutMs { get; init; } = 1_800_000;

    /// <summary>group.initial.rebalance.delay.ms</summary>
    public int InitialRebalanceDelayMs { get; init; } = 3000;

    /// <summary>group.max.size</summary>
    public int MaxSize { get; init; } = int.MaxValue;

    /// <summary>offset.metadata.max.bytes; Kafka counts UTF-16 units.</summary>
    public int OffsetMetadataMaxBytes { get; init; } = 4096;

    /// <summary>offsets.retention.minutes</summary>
    public long OffsetsRetentionMs { get; init; } = 10080 * 60_000L;

    /// <summary>offsets.retention.check.interval.ms</summary>
    public long OffsetsRetentionCheckIntervalMs { get; init; } = 600_000;

    /// <summary>For how long a member that has not got its first generation yet may be silent: it cannot send heartbeats.</summary>
    public int NewMemberJoinTimeoutMs { get; init; } = 300_000;

    /// <summary>Most bytes of one record batch of a coordinator; a decision's records share a batch where they fit.</summary>
    public int MaxBatchBytes { get; init; } = 768 << 10;

    /// <summary>The settings of groups of the consumer protocol.</summary>
    public ConsumerSettings Consumer { get; init; } = new();

    public static GroupSettings From(ConfigLayers layers) => new()
    {
        MinSessionTimeoutMs = layers.Int("group.min.session.timeout.ms"),
        MaxSessionTimeoutMs = layers.Int("group.max.session.timeout.ms"),
        InitialRebalanceDelayMs = layers.Int("group.initial.rebalance.delay.ms"),
        MaxSize = layers.Int("group.max.size"),
        OffsetMetadataMaxBytes = layers.Int("offset.metadata.max.bytes"),
        OffsetsRetentionMs = layers.Int("offsets.retention.minutes") * 60_000L,
        OffsetsRetentionCheckIntervalMs = layers.Long("offsets.retention.check.interval.ms"),
        Consumer = ConsumerSettings.From(layers),
    };
}
