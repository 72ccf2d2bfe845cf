namespace OrleansStream.Broker.Configuration;

/// <summary>
/// A broker's own settings, typed; the Kafka name of each is in its comment or table. Immutable: a dynamic change makes another. Sizes in bytes, times
/// in milliseconds. Topic defaults are not here: <see cref="TopicConfigDefinitions"/> takes them from <see cref="Layers"/>.
/// </summary>
public sealed record BrokerSettings
{
    /// <summary>node.id, or broker.id: 1 where neither is given.</summary>
    public int NodeId { get; private init; } = 1;
    public string? Rack { get; private init; }
    public IReadOnlyList<ListenerSetting> Listeners { get; private init; } = [];

    /// <summary>What clients are told. A host that is empty stands for the machine's name, a port 0 for the one that was bound.</summary>
    public IReadOnlyList<ListenerSetting> AdvertisedListeners { get; private init; } = [];

    public bool AllowInsecureListeners { get; private init; }

    /// <summary>http.listener; null where HTTP is switched off.</summary>
    public string? HttpListener { get; private init; }

    /// <summary>log.dirs, or log.dir.</summary>
    public string DataFolder { get; private init; } = "data";

    public string? StorageUrl { get; private init; }
    public string? StorageConnectionString { get; private init; }
    public string StorageContainer { get; private init; } = "";

    /// <summary>Whether the journal is numbered objects in the store, rather than files of this process alone (journal.kind).</summary>
    public bool BlobJournal { get; private init; }

    public int JournalLingerMs { get; private init; }
    public long JournalMaxAgeMs { get; private init; }
    public long JournalMaxBytes { get; private init; }
    public int JournalMaxObjects { get; private init; }
    public bool JournalAcceptLoss { get; private init; }
    public long MemoryBudgetBytes { get; private init; }
    public long ReadCacheBytes { get; private init; }
    public bool StrictReplicationFactor { get; private init; }
    public int NumPartitions { get; private init; }
    public short DefaultReplicationFactor { get; private init; }
    public bool AutoCreateTopics { get; private init; }
    public bool DeleteTopics { get; private init; }
    public long ProducerIdExpirationMs { get; private init; }
    public int SocketRequestMaxBytes { get; private init; }
    public int SocketSendBufferBytes { get; private init; }
    public int SocketReceiveBufferBytes { get; private init; }
    public int SocketListenBacklog { get; private init; }
    public long ConnectionsMaxIdleMs { get; private init; }
    public int MaxConnections { get; private init; }
    public int MaxConnectionsPerIp { get; private init; }
    public IReadOnlyDictionary<string, int> MaxConnectionsPerIpOverrides { get; private init; } = new Dictionary<string, int>();
    public int FetchMaxBytes { get; private init; }
    public int FetchSessionCacheSlots { get; private init; }
    public int MaxRequestPartitionSizeLimit { get; private init; }
    public int QueuedMaxRequests { get; private init; }
    public long QueuedMaxRequestBytes { get; private init; }
    public int RequestTimeoutMs { get; private init; }
    public long RetentionCheckIntervalMs { get; private init; }

    /// <summary>All settings by name, with where each comes from.</summary>
    public ConfigLayers Layers { get; private init; } = ConfigLayers.Empty;

    /// <summary>Makes the typed settings of what is in force; throws <see cref="ConfigException"/> where settings contradict each other.</summary>
    public static BrokerSettings From(ConfigLayers layers)
    {
        if (layers.IsGiven("node.id") && layers.IsGiven("broker.id") && layers.Int("node.id") != layers.Int("broker.id"))
            throw new ConfigException("node.id and broker.id are two names of one setting and contradict each other");
        var nodeId = layers.IsGiven("node.id") ? layers.Int("node.id") : layers.IsGiven("broker.id") ? layers.Int("broker.id") : 1;
        if (nodeId < 0)
            throw ConfigException.Invalid("broker.id", layers.String("broker.id"), "Value must be at least 0");
        var folders = (layers.Value("log.dirs") ?? layers.Value("log.dir"))!.Value.Items;
        if (folders.Count != 1)
            throw new ConfigException($"log.dirs names {folders.Count} folders; this broker keeps its data in one");
        var hasContainer = layers.IsGiven("storage.url") || layers.IsGiven("storage.connection.string");
        var http = layers.String("http.listener");
        var settings = new BrokerSettings
        {
            Layers = layers,
            NodeId = nodeId,
            Rack = layers.Text("broker.rack"),
            AllowInsecureListeners = layers.Bool("allow.insecure.listeners"),
            HttpListener = http.Length == 0 ? null : http,
            DataFolder = folders[0],
            StorageUrl = layers.Text("storage.url"),
            StorageConnectionString = layers.Text("storage.connection.string"),
            StorageContainer = layers.String("storage.container"),
            BlobJournal = layers.String("journal.kind") == "blob" || (layers.String("journal.kind") == "auto" && hasContainer),
            JournalLingerMs = layers.Int("journal.linger.ms"),
            JournalMaxAgeMs = layers.Long("journal.max.age.ms"),
            JournalMaxBytes = layers.Long("journal.max.bytes"),
            JournalMaxObjects = layers.Int("journal.max.objects"),
            JournalAcceptLoss = layers.Bool("journal.accept.loss"),
            MemoryBudgetBytes = layers.Long("memory.budget.bytes"),
            ReadCacheBytes = layers.Long("read.cache.bytes"),
            StrictReplicationFactor = layers.Bool("strict.replication.factor"),
            NumPartitions = layers.Int("num.partitions"),
            DefaultReplicationFactor = checked((short)Math.Clamp(layers.Int("default.replication.factor"), 1, short.MaxValue)),
            AutoCreateTopics = layers.Bool("auto.create.topics.enable"),
            DeleteTopics = layers.Bool("delete.topic.enable"),
            ProducerIdExpirationMs = layers.Long("producer.id.expiration.ms"),
            SocketRequestMaxBytes = layers.Int("socket.request.max.bytes"),
            SocketSendBufferBytes = layers.Int("socket.send.buffer.bytes"),
            SocketReceiveBufferBytes = layers.Int("socket.receive.buffer.bytes"),
            SocketListenBacklog = layers.Int("socket.listen.backlog.size"),
            ConnectionsMaxIdleMs = layers.Long("connections.max.idle.ms"),
            MaxConnections = layers.Int("max.connections"),
            MaxConnectionsPerIp = layers.Int("max.connections.per.ip"),
            MaxConnectionsPerIpOverrides = PerIp(layers.String("max.connections.per.ip.overrides")),
            FetchMaxBytes = layers.Int("fetch.max.bytes"),
            FetchSessionCacheSlots = layers.Int("max.incremental.fetch.session.cache.slots"),
            MaxRequestPartitionSizeLimit = layers.Int("max.request.partition.size.limit"),
            QueuedMaxRequests = layers.Int("queued.max.requests"),
            QueuedMaxRequestBytes = layers.Long("queued.max.request.bytes"),
            RequestTimeoutMs = layers.Int("request.timeout.ms"),
            RetentionCheckIntervalMs = layers.Long("log.retention.check.interval.ms"),
        };
        return WithListeners(settings, layers);
    }

    private static BrokerSettings WithListeners(BrokerSettings settings, ConfigLayers layers)
    {
        var protocols = ListenerParser.ProtocolMap(layers.String("listener.security.protocol.map"));
        // A server.properties of a combined Kafka node has a listener for its controller; there is none here.
        var controller = (layers.Value("controller.listener.names")?.Items ?? []).Select(n => n.ToUpperInvariant()).ToHashSet();
        foreach (var name in controller)
            protocols.TryAdd(name, "PLAINTEXT");
        var listeners = ListenerParser.Read("listeners", layers.String("listeners"), protocols, uniquePorts: true);
        listeners.RemoveAll(l => controller.Contains(l.Name));
        if (listeners.Count == 0)
            throw new ConfigException("listeners: there must be at least one");
        foreach (var listener in listeners)
        {
            if (listener.SecurityProtocol != "PLAINTEXT")
                throw new ConfigException($"listener {listener}: {listener.SecurityProtocol} is not offered yet, only PLAINTEXT");
            if (!listener.IsLoopback && !settings.AllowInsecureListeners)
                throw new ConfigException(
                    $"listener {listener} is not on a loopback address and nothing secures it: set allow.insecure.listeners=true if that is meant");
        }
        var advertised = layers.Text("advertised.listeners") is { Length: > 0 } text
            ? ListenerParser.Read("advertised.listeners", text, protocols, uniquePorts: false) : listeners;
        advertised = [.. advertised.Where(l => !controller.Contains(l.Name))];
        foreach (var one in advertised)
        {
            if (one.Host == "0.0.0.0")
                throw new ConfigException("advertised.listeners cannot use the nonroutable meta-address 0.0.0.0. Use a routable IP address.");
            if (listeners.All(l => l.Name != one.Name))
                throw new ConfigException($"advertised.listeners names {one.Name}, which listeners does not have");
        }
        return settings with { Listeners = listeners, AdvertisedListeners = advertised };
    }

    private static Dictionary<string, int> PerIp(string text)
    {
        Dictionary<string, int> limits = [];
        foreach (var pair in text.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries))
        {
            var colon = pair.LastIndexOf(':');
            if (colon <= 0 || !int.TryParse(pair.AsSpan(colon + 1), out var limit) || limit < 0)
                throw ConfigException.Invalid("max.connections.per.ip.overrides", text, $"'{pair}' is not address:count");
            limits[pair[..colon]] = limit;
        }
        return limits;
    }
}
