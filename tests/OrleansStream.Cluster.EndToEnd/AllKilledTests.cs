using System.Diagnostics;
using OrleansStream.Cluster.EndToEnd.Clients;
using OrleansStream.Cluster.EndToEnd.History;
using OrleansStream.Cluster.EndToEnd.Silos;
using Xunit.Abstractions;

namespace OrleansStream.Cluster.EndToEnd;

/// <summary>SIGKILL of all silos at once, and a start at other addresses: rows of the dead stand in the way for a while, and nothing is lost.</summary>
public sealed class AllKilledTests(ITestOutputHelper output) : ClusterTest(output)
{
    private const int Partitions = 12;
    private const int RecordsBefore = 1000;

    [SkippableFact]
    public Task All_killed_on_a_folder() => OnFolderAtLengthAsync(KillAllAsync);

    [SkippableFact]
    public Task All_killed_on_blobs() => OnAzuriteAsync(KillAllAsync);

    private async Task KillAllAsync(SiloCluster cluster)
    {
        Load load = await Load.StartAsync(cluster, "dark", Partitions);
        await using SteadyClients clients = await SteadyClients.StartAsync(cluster, Output);
        await load.AcknowledgesAsync(RecordsBefore);
        long killed = Stopwatch.GetTimestamp();
        foreach (SiloProcess silo in cluster.Silos) silo.Kill();
        foreach (SiloProcess silo in cluster.Silos)
        {
            silo.ChangeSilo();
            silo.Launch();
        }
        IReadOnlyList<TimeSpan> answered = await load.AnswerAgainAsync(Enumerable.Range(0, Partitions), killed);
        Output.WriteLine($"all silos killed and started elsewhere: every partition answered again {answered.Max().TotalMilliseconds:0} ms after the kill");
        await cluster.EvenAsync("dark");
        await clients.ProceedAsync(killed);
        await load.CheckAsync();
        await clients.CheckAsync();
        Output.WriteLine($"{load.History.AcknowledgedCount} records acknowledged, all there, once and in order");
    }
}
