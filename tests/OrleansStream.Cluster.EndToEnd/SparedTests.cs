using System.Diagnostics;
using OrleansStream.Cluster.EndToEnd.History;
using OrleansStream.Cluster.EndToEnd.Silos;
using OrleansStream.EndToEnd.Brokers;
using Xunit.Abstractions;

namespace OrleansStream.Cluster.EndToEnd;

/// <summary>What a silo's death leaves alone: partitions that living silos lead stay where they are, under the epoch that they have.</summary>
public sealed class SparedTests(ITestOutputHelper output) : ClusterTest(output)
{
    private const int Partitions = 24;
    private static int Rounds => Repository.Full ? 9 : 1;

    [SkippableFact]
    public Task Partitions_of_living_silos_do_not_notice_that_another_was_killed() => OnFolderAsync(async cluster =>
    {
        Load load = await Load.StartAsync(cluster, "spared", Partitions);
        List<TimeSpan> longest = [];
        for (int round = 0; round < Rounds; round++)
        {
            ClusterView before = await cluster.EvenAsync("spared");
            SiloProcess victim = cluster.Silos[round % Silos];
            int[] others = [.. before.Partitions.Where(p => p.Leader != victim.NodeId).Select(static p => p.Index)];
            long moment = Stopwatch.GetTimestamp();
            victim.Kill();
            await load.AnswerAgainAsync(before.LedBy(victim.NodeId), moment);
            ClusterView after = await cluster.EvenAsync("spared");
            List<Delivery> meanwhile = [.. others.SelectMany(p => load.Producers[p].Deliveries).Where(d => d.Sent >= moment)];
            longest.Add(meanwhile.Max(static d => d.Latency));
            Assert.Empty(others.Where(p => after.Partitions[p] != before.Partitions[p]).Select(p => $"partition {p}: {before.Partitions[p]}, then {after.Partitions[p]}"));
            Assert.Empty(meanwhile.SelectMany(static d => d.Errors));
            victim.Launch();
            await victim.AnswersAsync();
        }
        await load.CheckAsync();
        Output.WriteLine($"while a silo was killed, the slowest produce to a partition of another took: {longest.Summary()}");
    });
}
