namespace OrleansStream.Gateway;

/// <summary>What the gateway can be told. Kafka's names of the settings are in brackets; sizes in bytes, times in milliseconds.</summary>
public sealed record GatewayOptions
{
    /// <summary>The largest request that is read (socket.request.max.bytes).</summary>
    public int MaxRequestBytes { get; init; } = 100 * 1024 * 1024;

    /// <summary>The most that one Fetch returns, whatever it asks for (fetch.max.bytes).</summary>
    public int MaxFetchBytes { get; init; } = 55 * 1024 * 1024;

    /// <summary>How many fetch sessions are kept (max.incremental.fetch.session.cache.slots).</summary>
    public int FetchSessionSlots { get; init; } = 1000;

    /// <summary>Whether Metadata makes topics that are asked for and are not there (auto.create.topics.enable).</summary>
    public bool AutoCreateTopics { get; init; } = true;

    /// <summary>What DescribeLogDirs calls the place of the data.</summary>
    public string LogDirectory { get; init; } = "store";

    /// <summary>The most topic partitions that one DescribeTopicPartitions answers (max.request.partition.size.limit).</summary>
    public int MaxDescribedPartitions { get; init; } = 2000;
}
