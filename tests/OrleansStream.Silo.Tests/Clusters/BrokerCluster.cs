using System.Collections.Concurrent;
using System.Net;
using System.Text;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using Orleans;
using Orleans.Hosting;
using Orleans.Runtime;
using Orleans.TestingHost;
using OrleansStream.Broker.Configuration;
using OrleansStream.Broker.Engine;
using OrleansStream.Broker.Topics;
using OrleansStream.Grains;
using OrleansStream.Hosting;
using OrleansStream.Hosting.Configuration;
using OrleansStream.Hosting.Data;
using OrleansStream.Platform.Memory;
using OrleansStream.Platform.Runtime;
using OrleansStream.Protocol.Records;
using OrleansStream.Silo.Cluster;
using OrleansStream.Silo.Configuration;
using OrleansStream.Silo.Hosting;
using OrleansStream.Storage.Ports;

namespace OrleansStream.Silo.Tests.Clusters;

/// <summary>
/// Brokers as silos of Orleans' own test cluster, all in this process: its transport in memory and its membership, which stands for any clustering provider
/// that is not ours; our grains, placement, grain storage and engines, on one folder with journals that lie in it.
/// </summary>
internal sealed class BrokerCluster : IAsyncDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("ostream-silos-");
    private readonly ConcurrentQueue<Node> _prepared = new();
    private readonly List<Node> _nodes = [];
    private readonly List<InProcessSiloHandle> _dead = [];
    private readonly InProcessTestCluster _silos;

    private BrokerCluster(int silos)
    {
        var builder = new InProcessTestClusterBuilder((short)silos);
        builder.ConfigureSilo(Configure);
        _silos = builder.Build();
    }

    public IGrainFactory Grains => _silos.Client;

    /// <summary>The silos that live, in the order in which they began.</summary>
    public IReadOnlyList<InProcessSiloHandle> Silos => [.. _silos.Silos.Where(s => !_dead.Contains(s))];

    /// <summary>Why brokers would have ended their processes.</summary>
    public IEnumerable<string> Failures => _nodes.SelectMany(static n => n.Failures);

    public static async Task<BrokerCluster> StartAsync(int silos)
    {
        var cluster = new BrokerCluster(silos);
        for (int i = 0; i < silos; i++)
            await cluster.PrepareAsync();
        await cluster._silos.DeployAsync();
        return cluster;
    }

    public async Task<InProcessSiloHandle> JoinAsync()
    {
        await PrepareAsync();
        return await _silos.StartAdditionalSiloAsync();
    }

    /// <summary>In order, as after a signal: others lead what it led before it stops.</summary>
    public async Task StopAsync(InProcessSiloHandle silo)
    {
        using var patience = new CancellationTokenSource(Patience);
        await silo.ServiceProvider.GetRequiredService<ClusterLink>().LeaveAsync(patience.Token);
        await _silos.StopSiloAsync(silo);
    }

    /// <summary>For the others it is dead, though it runs: membership was split, or its process was paused. What it would do, once it hears of it, is end.</summary>
    public async Task DeclareDeadAsync(InProcessSiloHandle silo)
    {
        _dead.Add(silo);
        var membership = Silos[0].ServiceProvider.GetRequiredService<IMembershipTable>();
        while (true)
        {
            MembershipTableData all = await membership.ReadAllAsync(CancellationToken.None);
            (MembershipEntry row, string etag) = all.TryGet(silo.SiloAddress)!;
            row.Status = SiloStatus.Dead;
            if (await membership.UpdateRowAsync(row, etag, all.Version.Next(), CancellationToken.None))
                return;
        }
    }

    public static BrokerEngine EngineOf(InProcessSiloHandle silo) => silo.ServiceProvider.GetRequiredService<SiloEngine>().Engine;

    public bool IsActive(GrainId grain) => _silos.TryGetGrainContext(grain, out _);

    public Task DeactivatedAsync(GrainId grain) => _silos.WaitForDeactivationAsync(grain).WaitAsync(Patience);

    public IPartitionGrain Partition(TopicInfo topic, int index) => Grains.GetGrain<IPartitionGrain>(PartitionKey.Of(topic.Id, index));

    public async Task<TopicInfo> CreateTopicAsync(string name, int partitions)
    {
        TopicOutcome outcome = await Grains.GetGrain<ITopicGrain>(name).CreateAsync(new TopicSpec { Partitions = partitions });
        Assert.Equal((short)0, outcome.ErrorCode);
        await EvenAsync(outcome.Topic!);
        return outcome.Topic!;
    }

    /// <summary>Completes when every silo shows the topic's partitions served, as many by each broker as by any other, give or take one. Who leads each.</summary>
    public Task<int[]> EvenAsync(TopicInfo topic) => EventuallyAsync($"every silo shows the partitions of {topic.Name} served and spread evenly", () =>
    {
        int[][] pictures = [.. Silos.Select(s => EngineOf(s).Cluster.TopicsById.TryGetValue(topic.Id, out TopicPicture? picture)
            ? [.. picture.Partitions.Select(static p => p.LeaderEpoch >= 0 ? p.LeaderId : -1)] : Array.Empty<int>())];
        int[] first = pictures[0];
        int[] counts = [.. Silos.Select(s => first.Count(leader => leader == EngineOf(s).Me.NodeId))];
        return first.Length == topic.Partitions && counts.Sum() == first.Length && counts.Max() - counts.Min() <= 1 && pictures.All(p => p.SequenceEqual(first))
            ? first : null;
    });

    public static async Task<T> EventuallyAsync<T>(string what, Func<T?> look) where T : class
    {
        for (long since = TimeProvider.System.GetTimestamp(); ; await Task.Delay(20))
        {
            if (look() is { } found)
                return found;
            Assert.True(TimeProvider.System.GetElapsedTime(since) < Patience, $"not within {Patience.TotalSeconds} s: {what}");
        }
    }

    public static byte[] Batch(params string[] values)
    {
        using var builder = new RecordBatchBuilder();
        foreach (string value in values)
            builder.Append(TimeProvider.System.GetUtcNow().ToUnixTimeMilliseconds(), default, Encoding.UTF8.GetBytes(value), hasKey: false);
        return builder.Build();
    }

    /// <summary>Appends by the partition's grain, again for as long as Kafka's clients would.</summary>
    public async Task<long> AppendAsync(TopicInfo topic, int index, params string[] values)
    {
        for (long since = TimeProvider.System.GetTimestamp(); ; await Task.Delay(50))
        {
            try
            {
                PartitionAppend answer = await Partition(topic, index).AppendAsync(Batch(values), acks: -1, produceVersion: 12);
                if (answer.ErrorCode == 0)
                    return answer.BaseOffset;
                Assert.True(IsRetriable(answer.ErrorCode), $"error {answer.ErrorCode}: {answer.Message}");
            }
            catch (Exception e) when (e is OrleansException or TimeoutException)
            {
                // Its silo has just died.
            }
            Assert.True(TimeProvider.System.GetElapsedTime(since) < Patience, "nobody leads the partition");
        }
    }

    /// <summary>Every value of a partition, by its offset.</summary>
    public async Task<List<string>> ValuesAsync(TopicInfo topic, int index)
    {
        List<string> values = [];
        while (true)
        {
            PartitionRecords read = await Partition(topic, index).ReadAsync(new PartitionReadWish(values.Count, 1 << 20), TimeSpan.Zero);
            Assert.Equal((short)0, read.ErrorCode);
            if (read.Batches.IsEmpty)
                return values;
            ReadOnlyMemory<byte> rest = read.Batches;
            while (!rest.IsEmpty)
            {
                var batch = new System.Buffers.ReadOnlySequence<byte>(rest);
                using OpenedRecords opened = OpenedRecords.Open(batch, 1 << 20);
                foreach (var record in opened)
                    values.Add(Encoding.UTF8.GetString(record.Value));
                rest = rest[(int)opened.Header.SizeInBytes..];
            }
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _silos.DisposeAsync();
        foreach (Node node in _nodes)
            await node.DisposeAsync();
        _folder.Delete(recursive: true);
    }

    private static bool IsRetriable(short error) =>
        (ErrorCode)error is ErrorCode.NotLeaderOrFollower or ErrorCode.UnknownTopicOrPartition or ErrorCode.UnknownTopicId or ErrorCode.LeaderNotAvailable
            or ErrorCode.RequestTimedOut or ErrorCode.NotEnoughReplicas or ErrorCode.KafkaStorageError;

    private async Task PrepareAsync()
    {
        var node = await Node.OpenAsync(_nodes.Count + 1, _folder.FullName);
        _nodes.Add(node);
        _prepared.Enqueue(node);
    }

    private void Configure(InProcessTestSiloSpecificOptions options, ISiloBuilder silo)
    {
        Assert.True(_prepared.TryDequeue(out Node? node));
        ServiceDescriptor[] clustering = [.. silo.Services.Where(static s => s.ServiceType == typeof(IMembershipTable))];
        var settings = new SiloSettings(Clustering.Store, _silos.Options.ClusterId, _silos.Options.ServiceId, IPAddress.Loopback, options.SiloPort, options.GatewayPort);
        silo.AddOrleansStream(settings, node.Context, node.Slot);
        // The last one counts: as where users configure a clustering provider of their own.
        foreach (ServiceDescriptor table in clustering)
            silo.Services.Add(table);
        silo.Services.AddSingleton<IFatalErrorHandler>(new FatalErrors(node.Fail, static () => { }, NullLogger<FatalErrors>.Instance));
        silo.Services.AddSingleton<ILifecycleParticipant<ISiloLifecycle>>(services => new EngineLifecycle(services, settings, node));
    }

    /// <summary>The engine begins before its silo, and ends in order after it, unless the silo was killed.</summary>
    private sealed class EngineLifecycle(IServiceProvider services, SiloSettings settings, Node node) : ILifecycleParticipant<ISiloLifecycle>
    {
        public void Participate(ISiloLifecycle lifecycle) => lifecycle.Subscribe(
            nameof(EngineLifecycle), ServiceLifecycleStage.First,
            async cancel => node.Engine = await node.Slot.StartAsync(services, settings, node.Context, cancel),
            cancel => cancel.IsCancellationRequested ? Task.CompletedTask : node.Engine!.StopAsync(cancel).AsTask());
    }

    /// <summary>What a broker's process has besides its silo.</summary>
    private sealed class Node : IAsyncDisposable
    {
        private readonly OpenedStorage _storage;

        private Node(int id, OpenedStorage storage, ProcessSettings settings, RuntimePorts ports, NativeChunkSource chunks)
        {
            _storage = storage;
            Context = new EngineContext(settings, ports, storage, chunks)
            {
                Advertised = new Dictionary<string, AdvertisedAddress> { ["PLAINTEXT"] = new("localhost", 9092 + id) },
                Logs = NullLoggerFactory.Instance,
                Fail = Fail,
            };
        }

        public EngineContext Context { get; }

        public SiloEngine Slot { get; } = new();

        public BrokerEngine? Engine { get; set; }

        public ConcurrentQueue<string> Failures { get; } = new();

        public void Fail(string reason) => Failures.Enqueue(reason);

        public static async Task<Node> OpenAsync(int id, string folder)
        {
            ParsedSettings broker = BrokerSettingsParser.Parse([new("node.id", $"{id}"), new("log.dirs", folder), new("journal.kind", "blob")]);
            var settings = new ProcessSettings(broker.Settings, broker.Notices, LogLevel.None, false) { Own = new Dictionary<string, string?>() };
            Node? node = null;
            RuntimePorts ports = SystemPorts.Create(NullLoggerFactory.Instance, defect => node!.Fail($"a defect: {defect}"));
            var chunks = new NativeChunkSource();
            OpenedStorage storage = await OpenedStorage.OpenAsync(broker.Settings, shared: true, ports, chunks, CancellationToken.None);
            return node = new Node(id, storage, settings, ports, chunks);
        }

        public async ValueTask DisposeAsync()
        {
            if (Engine is not null)
                await Engine.DisposeAsync();
            _storage.Dispose();
        }
    }
}
