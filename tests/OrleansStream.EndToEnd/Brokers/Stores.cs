namespace OrleansStream.EndToEnd.Brokers;

/// <summary>One running broker for a class of tests, and what its data stands on.</summary>
public abstract class BrokerFixture : IAsyncLifetime
{
    private readonly string _folder = Directory.CreateTempSubdirectory("ostream-broker-").FullName;
    private BrokerProcess? _broker;
    private Exception? _failure;

    /// <summary>Null: the folder.</summary>
    private protected virtual Task<string?> StorageAsync() => Task.FromResult<string?>(null);

    private protected virtual Task EndStorageAsync() => Task.CompletedTask;

    private protected virtual Task<BrokerProcess> StartAsync(string folder, string? storage) => BrokerProcess.StartAsync(folder, storage, Settings);

    private protected virtual IReadOnlyDictionary<string, string> Settings => new Dictionary<string, string>
    {
        ["auto.create.topics.enable"] = "false",
        ["message.max.bytes"] = "20000000",
        // A group's first member need not wait for others.
        ["group.initial.rebalance.delay.ms"] = "0",
    };

    /// <summary>The running broker; skips or fails the test where it could not be started, with the reason.</summary>
    internal BrokerProcess Broker
    {
        get
        {
            if (_failure is not null) System.Runtime.ExceptionServices.ExceptionDispatchInfo.Throw(_failure);
            return _broker!;
        }
    }

    /// <summary>What a class keeps between its tests, such as topics that several of them read.</summary>
    internal Dictionary<string, object> Kept { get; } = [];

    public async Task InitializeAsync()
    {
        // A fixture cannot skip: each of the tests does, or fails, by itself.
        try { _broker = await StartAsync(_folder, await StorageAsync()); }
        catch (Exception e) { _failure = e; }
    }

    public async Task DisposeAsync()
    {
        if (_broker is not null) await _broker.DisposeAsync();
        await EndStorageAsync();
        Directory.Delete(_folder, recursive: true);
    }
}

/// <summary>Everything in a folder.</summary>
public sealed class DiskBroker : BrokerFixture;

/// <summary>Journal and segments in Azurite.</summary>
public sealed class BlobBroker : BrokerFixture
{
    private Azurite? _azurite;

    private protected override async Task<string?> StorageAsync()
    {
        Skip.If(BrokerProcess.IsKafka, "Apache Kafka has no blob store");
        _azurite = await Azurite.StartAsync();
        return _azurite.ConnectionString;
    }

    private protected override async Task EndStorageAsync()
    {
        if (_azurite is not null) await _azurite.DisposeAsync();
    }
}

/// <summary>The real Apache Kafka of KAFKA_PEERS, to hold what a test expects against.</summary>
public sealed class KafkaBroker : BrokerFixture
{
    private protected override Task<BrokerProcess> StartAsync(string folder, string? storage)
    {
        Missing.Peers();
        return BrokerProcess.StartKafkaAsync(folder, Settings);
    }
}

/// <summary>The classes that compare with Apache Kafka share one: its start is most of what they cost.</summary>
[CollectionDefinition(Name)]
public sealed class AtKafka : ICollectionFixture<KafkaBroker>
{
    public const string Name = "Apache Kafka";
}
