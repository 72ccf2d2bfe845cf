using System.Diagnostics;
using OrleansStream.Cluster.EndToEnd.History;
using OrleansStream.Cluster.EndToEnd.Silos;
using OrleansStream.EndToEnd.Brokers;
using OrleansStream.EndToEnd.Clients;
using OrleansStream.EndToEnd.Fleet;
using OrleansStream.EndToEnd.Wire;
using Xunit.Abstractions;

namespace OrleansStream.Cluster.EndToEnd;

/// <summary>
/// The fleets of <see cref="ConsumerFleet"/>, whose members come and go at random, against one silo and against three, one of which is killed once in a while: every
/// record is processed, no partition has two owners, no committed offset goes back, and in the end everybody who lives has their share.
/// </summary>
public sealed class GroupFleetTests(ITestOutputHelper output) : ClusterTest(output)
{
    private const int Partitions = 12;
    private const string Topic = "fleet";
    private static readonly string[] Protocols = ["classic", "consumer"];
    private static readonly TimeSpan Unrest = Repository.Full ? TimeSpan.FromMinutes(10) : TimeSpan.FromSeconds(8);
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(120);
    private static readonly string[] Settings = [.. ConsumerFleet.BrokerSettings.Select(static s => $"{s.Key}={s.Value}")];

    [SkippableTheory]
    [InlineData(1)]
    [InlineData(3)]
    public Task Fleets_come_and_go(int silos)
    {
        Skip.IfNot(Repository.Full || silos > 1, "one silo with --full only; FleetTests has one broker");
        KafkaClient client = KafkaClient.Named("confluent-kafka 2.16");
        client.Needed();
        return OnFolderAsync(silos, cluster => RunAsync(cluster, client.Command[0]), Settings);
    }

    private async Task RunAsync(SiloCluster cluster, string python)
    {
        int seed = Environment.TickCount;
        Output.WriteLine($"seed {seed}");
        Load load = await Load.StartAsync(cluster, Topic, Partitions);
        string bootstrap = string.Join(',', cluster.Silos.Select(static s => $"127.0.0.1:{s.Port}"));
        List<ConsumerFleet> fleets = [.. Protocols.Select(p => new ConsumerFleet(python, bootstrap, Topic, p, seed++))];
        List<GroupWatch> watches = [.. fleets.Select(f => new GroupWatch(cluster, f.Group, f.Protocol))];
        try
        {
            Task unrest = Task.WhenAll(fleets.Select(static f => f.UnrestAsync(Unrest)));
            Task<int> killing = cluster.Silos.Count > 1 ? KillAsync(cluster, unrest, new Random(seed)) : Task.FromResult(0);
            await unrest;
            string[] settled = await Task.WhenAll(fleets.Zip(watches, static (fleet, watch) => fleet.SettledAsync(() => LookAsync(watch), Partitions)));
            int killed = await killing;
            await load.CheckAsync();
            long[] ends = new long[Partitions];
            for (int partition = 0; partition < Partitions; partition++)
            {
                await using KafkaConnection leader = await cluster.ConnectToLeaderAsync(Topic, partition);
                ends[partition] = (await leader.ListOffsetAsync(Topic, partition, -1)).Offset;
            }
            foreach (string how in settled) Output.WriteLine(how);
            foreach ((ConsumerFleet fleet, GroupWatch watch) in fleets.Zip(watches))
            {
                await fleet.AllProcessedAsync(ends, async (partition, offset) =>
                {
                    await using KafkaConnection leader = await cluster.ConnectToLeaderAsync(Topic, partition);
                    return $"{await leader.FetchAsync(Topic, partition, offset)}";
                });
                Output.WriteLine($"{fleet.Protocol}: {ends.Sum()} records, {fleet.Processings} times processed; {killed} silos killed, {watch.Coordinators} have coordinated the group, {watch.Looks} looks");
                Assert.True(watch.Looks > 50, $"the group was looked at {watch.Looks} times: the test tested nothing");
                await watch.CheckAsync();
                fleet.CheckRefused();
                await fleet.LeaveAsync();
            }
        }
        finally
        {
            foreach (GroupWatch watch in watches) await watch.DisposeAsync();
            foreach (ConsumerFleet fleet in fleets) await fleet.DisposeAsync();
        }
    }

    /// <summary>What a look that begins now shows.</summary>
    private static async Task<GroupDescription> LookAsync(GroupWatch watch)
    {
        // One may be under way.
        int after = watch.Looks + 2;
        for (long since = Stopwatch.GetTimestamp(); watch.Looks < after; await Task.Delay(5))
        {
            if (Stopwatch.GetElapsedTime(since) > Patience) throw new TimeoutException($"the coordinator does not answer; at last it said {watch.Last}");
        }
        return watch.Last;
    }

    /// <summary>
    /// Kills a silo, and starts it again when the others have taken over; again and again until the unrest is over, and not once more then: how long the group takes to
    /// settle is counted from its members' last change. Answers how often.
    /// </summary>
    private static async Task<int> KillAsync(SiloCluster cluster, Task unrest, Random random)
    {
        int killed = 0;
        do
        {
            await Task.WhenAny(unrest, Task.Delay(random.Next(2_000, Repository.Full ? 30_000 : 4_000)));
            if (unrest.IsCompleted && killed > 0) break;
            SiloProcess victim = cluster.Silos[random.Next(cluster.Silos.Count)];
            victim.Kill();
            killed++;
            await cluster.EvenAsync(Topic);
            victim.Launch();
            await victim.AnswersAsync();
            await cluster.EvenAsync(Topic);
        }
        while (!unrest.IsCompleted);
        return killed;
    }
}
