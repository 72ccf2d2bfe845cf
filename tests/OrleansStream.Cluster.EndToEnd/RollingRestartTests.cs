using System.Diagnostics;
using OrleansStream.Cluster.EndToEnd.Clients;
using OrleansStream.Cluster.EndToEnd.History;
using OrleansStream.Cluster.EndToEnd.Silos;
using Xunit.Abstractions;

namespace OrleansStream.Cluster.EndToEnd;

/// <summary>SIGTERM and a new start of every silo, one after another, under load: each hands its partitions over first, and clients hardly see it.</summary>
public sealed class RollingRestartTests(ITestOutputHelper output) : ClusterTest(output)
{
    private const int Partitions = 12;

    [SkippableFact]
    public Task Rolling_restart_on_a_folder() => OnFolderAtLengthAsync(RestartAllAsync);

    [SkippableFact]
    public Task Rolling_restart_on_blobs() => OnAzuriteAsync(RestartAllAsync);

    private async Task RestartAllAsync(SiloCluster cluster)
    {
        Load load = await Load.StartAsync(cluster, "rolling", Partitions);
        await using SteadyClients clients = await SteadyClients.StartAsync(cluster, Output);
        List<TimeSpan> pauses = [];
        List<int> errors = [];
        foreach (SiloProcess silo in cluster.Silos)
        {
            ClusterView before = await cluster.EvenAsync("rolling");
            long moment = Stopwatch.GetTimestamp();
            Assert.Equal(0, await silo.StopAsync());
            TimeSpan stopped = Stopwatch.GetElapsedTime(moment);
            ClusterView without = await cluster.EvenAsync("rolling");
            Seen(load, before, without, moment, pauses, errors);
            long launched = Stopwatch.GetTimestamp();
            silo.Launch();
            await silo.AnswersAsync();
            ClusterView after = await cluster.EvenAsync("rolling");
            Seen(load, without, after, launched, pauses, errors);
            Output.WriteLine($"broker {silo.NodeId}: ended {stopped.TotalMilliseconds:0} ms after SIGTERM, back with its share {Stopwatch.GetElapsedTime(launched).TotalMilliseconds:0} ms after its start");
            await clients.ProceedAsync(moment);
        }
        await load.CheckAsync();
        List<TimeSpan> latencies = [.. load.Producers.SelectMany(static p => p.Deliveries).Select(static d => d.Latency)];
        Output.WriteLine($"pause of a moved partition: {pauses.Summary()}");
        Output.WriteLine($"errors that a producer saw in a move: {string.Join(", ", errors.GroupBy(static e => e).OrderBy(static g => g.Key).Select(static g => $"{g.Key} in {g.Count()} moves"))}");
        Output.WriteLine($"every produce during the restarts: p50 {latencies.At(0.5).TotalMilliseconds:0.0} ms, p99 {latencies.At(0.99).TotalMilliseconds:0} ms, longest {latencies.Max().TotalMilliseconds:0} ms");
        Output.WriteLine($"{load.History.AcknowledgedCount} records acknowledged, all there, once and in order");
        await clients.CheckAsync();
    }

    /// <summary>For every partition whose leader changed: the longest that one of its batches took since, and what its producer had to retry for.</summary>
    private void Seen(Load load, ClusterView before, ClusterView after, long moment, List<TimeSpan> pauses, List<int> errors)
    {
        for (int partition = 0; partition < Partitions; partition++)
        {
            if (before.Partitions[partition].Leader == after.Partitions[partition].Leader) continue;
            List<Delivery> since = [.. load.Producers[partition].Deliveries.Where(d => d.Answered >= moment)];
            if (since.Count == 0) continue;
            Delivery slowest = since.MaxBy(static d => d.Latency);
            pauses.Add(slowest.Latency);
            errors.Add(since.Sum(static d => d.Errors.Count));
            if (since.Any(static d => d.Errors.Count > 1) || slowest.Latency > TimeSpan.FromMilliseconds(500))
                Output.WriteLine($"partition {partition} from {before.Partitions[partition].Leader} to {after.Partitions[partition].Leader}: {slowest.Latency.TotalMilliseconds:0} ms; {string.Join(", ", since.SelectMany(static d => d.Errors))}");
        }
    }
}
