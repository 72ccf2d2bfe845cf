using System.Diagnostics;
using OrleansStream.Cluster.EndToEnd.History;
using OrleansStream.Cluster.EndToEnd.Silos;
using OrleansStream.EndToEnd.Brokers;
using Xunit.Abstractions;

namespace OrleansStream.Cluster.EndToEnd;

/// <summary>Three silos behind one load-balanced address: no client knows which silo it speaks to, each serves everything, and one of them is killed.</summary>
public sealed class OneAddressTests(ITestOutputHelper output) : ClusterTest(output)
{
    private const int Partitions = 12;
    private static int Rounds => Repository.Full ? 10 : 1;

    [SkippableFact]
    public Task Killed_silos_lose_nothing_that_was_forwarded() => BalancedAsync(async cluster =>
    {
        int seed = Environment.TickCount;
        Output.WriteLine($"seed {seed}");
        var random = new Random(seed);
        Load load = await Load.StartAsync(cluster, "forwarded", Partitions, requestSeconds: 30);
        List<TimeSpan> whole = [];
        for (int round = 0; round < Rounds; round++)
        {
            await Task.Delay(random.Next(500, 1500));
            SiloProcess victim = cluster.Silos[random.Next(Silos)];
            long moment = Stopwatch.GetTimestamp();
            victim.Kill();
            IReadOnlyList<TimeSpan> answered = await load.AnswerAgainAsync(Enumerable.Range(0, Partitions), moment);
            whole.Add(answered.Max());
            victim.Launch();
            await victim.AnswersAsync();
            await load.AnswerAgainAsync(Enumerable.Range(0, Partitions), Stopwatch.GetTimestamp());
            Output.WriteLine($"round {round + 1}: broker {victim.NodeId} killed, all partitions answered again after {answered.Max().TotalMilliseconds:0} ms");
        }
        await load.CheckAsync();
        Output.WriteLine($"all partitions after a kill: {whole.Summary()}");
        Output.WriteLine($"errors that producers retried: {string.Join(", ", load.Producers.SelectMany(static p => p.Deliveries).SelectMany(static d => d.Errors).GroupBy(static e => e).Select(static g => $"{g.Key}: {g.Count()}"))}");
        Output.WriteLine($"{load.History.AcknowledgedCount} records acknowledged, all there, once and in order");
    });
}
