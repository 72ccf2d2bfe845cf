namespace OrleansStream.Gateway;

/// <summary>What the gateway can be told. Kafka's names of the settings are in brackets; sizes in bytes, times in milliseconds.</summary>
public sealed record GatewayOptions
{
    /// <summary>The largest request that is read (socket.request.max.bytes).</summary>
    public int MaxRequestBytes { get; init; } = 100 * 1024 * 1024;

    /// <summary>
    /// What all connections together may hold of requests that are being received (queued.max.request.bytes), give or take one request; no bound where it
    /// is not positive.
    /// </summary>
    public long MaxReceivingBytes { get; init; } = 256 * 1024 * 1024;

    /// <summary>The most that one Fetch returns, whatever it asks for (fetch.max.bytes).</summary>
    public int MaxFetchBytes { get; init; } = 55 * 1024 * 1024;

    /// <summary>How long a request waits, at most, for a partition that is this broker's and not open yet; its own time-out may be shorter.</summary>
    public int MaxOpeningWaitMs { get; init; } = 5000;

    /// <summary>How many fetch sessions are kept (max.incremental.fetch.session.cache.slots).</summary>
    public int FetchSessionSlots { get; init; } = 1000;

    /// <summary>Whether Metadata makes topics that are asked for and are not there (auto.create.topics.enable).</summary>
    public bool AutoCreateTopics { get; init; } = true;

    /// <summary>What DescribeLogDirs calls the place of the data.</summary>
    public string LogDirectory { get; init; } = "store";

    /// <summary>The most topic partitions that one DescribeTopicPartitions answers (max.request.partition.size.limit).</summary>
    public int MaxDescribedPartitions { get; init; } = 2000;

    /// <summary>A connection that was silent for this long, with nothing under way, is closed (connections.max.idle.ms); below 1 never.</summary>
    public long MaxIdleMs { get; init; } = 600_000;

    /// <summary>Connections that are served at the same time; more wait until one ends (max.connections).</summary>
    public int MaxConnections { get; init; } = int.MaxValue;

    /// <summary>Connections from one address; more are closed (max.connections.per.ip, and its overrides by address).</summary>
    public int MaxConnectionsPerIp { get; init; } = int.MaxValue;
    public IReadOnlyDictionary<string, int> MaxConnectionsPerIpOverrides { get; init; } = new Dictionary<string, int>();
}
