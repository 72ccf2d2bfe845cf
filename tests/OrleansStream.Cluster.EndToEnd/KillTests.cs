using System.Diagnostics;
using OrleansStream.Cluster.EndToEnd.Clients;
using OrleansStream.Cluster.EndToEnd.History;
using OrleansStream.Cluster.EndToEnd.Silos;
using OrleansStream.EndToEnd.Brokers;
using Xunit.Abstractions;

namespace OrleansStream.Cluster.EndToEnd;

/// <summary>SIGKILL of one silo after another under load: the others take over what it led, nothing acknowledged is lost, and how long that took is printed.</summary>
public sealed class KillTests(ITestOutputHelper output) : ClusterTest(output)
{
    private const int Partitions = 12;

    // OSTREAM_KILLS: so many, for whoever has only so much time.
    private static int Rounds => int.TryParse(Environment.GetEnvironmentVariable("OSTREAM_KILLS"), out int kills) ? kills : Repository.Full ? 30 : 1;

    [SkippableFact]
    public Task Killed_silos_on_a_folder() => OnFolderAsync(RoundsAsync);

    [SkippableFact]
    public Task Killed_silos_on_blobs() => OnAzuriteAsync(RoundsAsync);

    private async Task RoundsAsync(SiloCluster cluster)
    {
        int seed = Environment.TickCount;
        Output.WriteLine($"seed {seed}");
        var random = new Random(seed);
        Load load = await Load.StartAsync(cluster, "killed", Partitions);
        await using SteadyClients clients = await SteadyClients.StartAsync(cluster, Output);
        List<TimeSpan> whole = [], each = [], back = [];
        for (int round = 0; round < Rounds; round++)
        {
            ClusterView view = await cluster.EvenAsync("killed");
            await Task.Delay(random.Next(200, 1000));
            SiloProcess victim = cluster.Silos[random.Next(Silos)];
            long moment = Stopwatch.GetTimestamp();
            victim.Kill();
            IReadOnlyList<TimeSpan> answered = await load.AnswerAgainAsync(view.LedBy(victim.NodeId), moment);
            whole.Add(answered.Max());
            each.AddRange(answered);
            long launched = Stopwatch.GetTimestamp();
            victim.Launch();
            await victim.AnswersAsync();
            await cluster.EvenAsync("killed");
            back.Add(Stopwatch.GetElapsedTime(launched));
            Output.WriteLine($"round {round + 1}: broker {victim.NodeId}{(victim.NodeId == view.ControllerId ? " (controller)" : "")} killed, "
                + $"its {answered.Count} partitions answered again after {answered.Min().TotalMilliseconds:0} to {answered.Max().TotalMilliseconds:0} ms; "
                + $"it was back with its share {back[^1].TotalMilliseconds:0} ms after its start");
            await clients.ProceedAsync(moment);
        }
        await load.CheckAsync();
        await clients.CheckAsync();
        Output.WriteLine($"all partitions of a killed silo: {whole.Summary()}");
        Output.WriteLine($"one partition of a killed silo: {each.Summary()}");
        Output.WriteLine($"back with its share: {back.Summary()}");
        Output.WriteLine($"{load.History.AcknowledgedCount} records acknowledged, all there, once and in order");
    }
}
