using System.Diagnostics;
using System.Net.Sockets;
using OrleansStream.EndToEnd.Brokers;
using OrleansStream.EndToEnd.Wire;

namespace OrleansStream.Cluster.EndToEnd.Silos;

/// <summary>Several silos on one store: a folder, or a container of Azurite. Disposed, all of them and the folder are gone.</summary>
internal sealed class SiloCluster : IAsyncDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    private readonly IReadOnlyList<string> _options;

    private SiloCluster(int silos, string folder, string? storage, IEnumerable<string> settings)
    {
        List<string> options =
        [
            "--override", "clustering=store", "--override", "auto.create.topics.enable=false", "--override", "logging.level=Information", .. settings.SelectMany(static s => new[] { "--override", s }),
            .. storage is null ? new[] { "--data", folder } : ["--data", folder, "--storage-connection-string", storage],
        ];
        Silos = [.. Enumerable.Range(1, silos).Select(id => new SiloProcess(id, options))];
        _options = options;
    }

    /// <summary>What stands before the silos where they have one address; null where clients reach each of them at its own.</summary>
    public Balancer? Balancer { get; private init; }

    /// <summary>Where Kafka clients begin.</summary>
    public string Bootstrap => string.Join(',', (Balancer is null ? Silos.Select(static s => s.Port) : [Balancer.Port]).Select(static port => $"127.0.0.1:{port}"));

    /// <summary>Node ids count from 1.</summary>
    public IReadOnlyList<SiloProcess> Silos { get; }

    /// <summary>A further silo of this cluster, of another executable, for the caller to launch and to dispose.</summary>
    public SiloProcess Another(string program) => new(Silos.Count + 1, _options, program);

    public IEnumerable<SiloProcess> Running => Silos.Where(static s => s.IsWanted);

    /// <param name="storage">A connection string of Azure Blob Storage, or null for the folder.</param>
    /// <param name="settings">Broker settings, name=value.</param>
    public static async Task<SiloCluster> StartAsync(int silos, string folder, string? storage = null, params string[] settings)
    {
        var cluster = new SiloCluster(silos, folder, storage, settings);
        return await LaunchAsync(cluster);
    }

    /// <summary>Silos behind a balancer, whose address each of them advertises.</summary>
    public static async Task<SiloCluster> StartBalancedAsync(int silos, string folder, string? storage = null, params string[] settings)
    {
        var balancer = new Balancer();
        var cluster = new SiloCluster(silos, folder, storage, [.. settings, "one.address=true", $"advertised.listeners=PLAINTEXT://127.0.0.1:{balancer.Port}"]) { Balancer = balancer };
        balancer.Targets = () => [.. cluster.Running.Select(static s => s.Port)];
        return await LaunchAsync(cluster);
    }

    private static async Task<SiloCluster> LaunchAsync(SiloCluster cluster)
    {
        try
        {
            foreach (SiloProcess silo in cluster.Silos) silo.Launch();
            foreach (SiloProcess silo in cluster.Silos) await silo.AnswersAsync();
            return cluster;
        }
        catch
        {
            await cluster.DisposeAsync();
            throw;
        }
    }

    /// <summary>What a broker shows; null where it does not answer.</summary>
    public static async Task<ClusterView?> TryViewAsync(int port, string topic)
    {
        try
        {
            await using KafkaConnection connection = await KafkaConnection.OpenAsync(port);
            connection.Patience = TimeSpan.FromSeconds(1);
            return await ClusterView.AskAsync(connection, topic);
        }
        catch (Exception e) when (e is SocketException or IOException or TimeoutException)
        {
            return null;
        }
    }

    public async Task CreateTopicAsync(string topic, int partitions)
    {
        await using KafkaConnection connection = await KafkaConnection.OpenAsync(Silos[0].Port);
        short error = await connection.TryCreateTopicAsync(topic, partitions);
        if (error != 0) throw new InvalidOperationException($"topic {topic} cannot be made: error {error}");
        await EvenAsync(topic);
    }

    /// <summary>Completes when every running silo shows the same: all of them as brokers, and all partitions spread evenly and served.</summary>
    public async Task<ClusterView> EvenAsync(string topic)
    {
        long since = Stopwatch.GetTimestamp();
        while (true)
        {
            List<SiloProcess> running = [.. Running];
            ClusterView?[] views = await Task.WhenAll(running.Select(s => TryViewAsync(s.Port, topic)));
            if (views.All(v => v is not null && v.IsEven(Balancer is null ? running.Count : 1) && v.All.SequenceEqual(views[0]!.All))) return views[0]!;
            if (Stopwatch.GetElapsedTime(since) > Patience)
                throw new TimeoutException("the silos do not share the partitions evenly:\n" + string.Join('\n', views.Select(v => v?.ToString() ?? "no answer")) + Printed());
            await Task.Delay(50);
        }
    }

    /// <summary>Every record of a topic's partition, by whoever leads it now.</summary>
    public async Task<KafkaConnection> ConnectToLeaderAsync(string topic, int partition)
    {
        ClusterView view = await EvenAsync(topic);
        return await KafkaConnection.OpenAsync(view.PortOf[view.Partitions[partition].Leader]);
    }

    /// <summary>What all processes printed last, for a test that fails.</summary>
    public string Printed() => string.Concat(Silos.Select(static s => $"\n--- broker {s.NodeId}\n{s.PrintedNow()}"));

    public async ValueTask DisposeAsync()
    {
        foreach (SiloProcess silo in Silos) await silo.DisposeAsync();
        if (Balancer is not null) await Balancer.DisposeAsync();
    }
}
