namespace OrleansStream.Broker.Topics;

public enum TimestampType : sbyte
{
    CreateTime = 0,
    LogAppendTime = 1,
}

/// <summary>
/// A topic's effective configuration (its own settings over the broker's defaults), parsed once. Names and meanings are Kafka's; times in
/// milliseconds, sizes in bytes.
/// </summary>
public sealed record TopicConfig
{
    public bool CleanupDelete { get; init; } = true;
    public bool CleanupCompact { get; init; }

    /// <summary>producer, uncompressed, gzip, snappy, lz4 or zstd (compression.type).</summary>
    public string CompressionType { get; init; } = "producer";

    public int CompressionGzipLevel { get; init; } = -1;
    public int CompressionLz4Level { get; init; } = 9;
    public int CompressionZstdLevel { get; init; } = 3;
    public int MaxMessageBytes { get; init; } = 1_048_588;
    public TimestampType TimestampType { get; init; }
    public long TimestampBeforeMaxMs { get; init; } = long.MaxValue;
    public long TimestampAfterMaxMs { get; init; } = 3_600_000;
    public int MinInSyncReplicas { get; init; } = 1;
    public int SegmentBytes { get; init; } = 1_073_741_824;
    public long SegmentMs { get; init; } = 604_800_000;
    public int IndexIntervalBytes { get; init; } = 4096;
    public long RetentionMs { get; init; } = 604_800_000;
    public long RetentionBytes { get; init; } = -1;

    /// <summary>What the topic itself sets, by Kafka's names, as given.</summary>
    public IReadOnlyDictionary<string, string> Overrides { get; init; } = new Dictionary<string, string>();
}
