using System.Collections.Concurrent;
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
/// Groups of real clients, of both protocols, that read a topic under load while the silo that coordinates them is killed, and while it hands over by plan and takes
/// back: members find the next coordinator, it has what was committed, nothing is skipped, and nobody shares a partition.
/// </summary>
public sealed class GroupMoveTests(ITestOutputHelper output) : ClusterTest(output)
{
    private const int Partitions = 6, MembersOfEach = 2;
    private const string Topic = "shared";
    private static int Rounds => Repository.Full ? 8 : 1;
    private static readonly string[] Protocols = ["classic", "consumer"];
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(120);
    private static readonly string[] Quick = [.. ConsumerFleet.BrokerSettings.Select(static s => $"{s.Key}={s.Value}")];

    private sealed class Fleet(string protocol)
    {
        private readonly ConcurrentDictionary<(int Partition, long Offset), int> _processed = new();

        public string Protocol => protocol;
        public string Group => $"{protocol}-fleet";
        public List<Member> Members { get; } = [];
        public int Processings => _processed.Values.Sum();

        public void Processed(int partition, long offset) => _processed.AddOrUpdate((partition, offset), 1, static (_, n) => n + 1);

        public IEnumerable<(int Partition, long Offset)> Missing(IReadOnlyList<long> ends) =>
            Enumerable.Range(0, ends.Count).SelectMany(p => Enumerable.Range(0, (int)ends[p]).Select(o => (p, (long)o))).Where(r => !_processed.ContainsKey(r));
    }

    [SkippableFact]
    public async Task Groups_outlive_their_coordinators()
    {
        KafkaClient client = KafkaClient.Named("confluent-kafka 2.16");
        client.Needed();
        await OnFolderAsync(cluster => MoveAsync(cluster, client.Command[0]), Quick);
    }

    [SkippableFact]
    public async Task Groups_outlive_their_coordinators_on_Azurite()
    {
        KafkaClient client = KafkaClient.Named("confluent-kafka 2.16");
        client.Needed();
        await OnAzuriteAsync(cluster => MoveAsync(cluster, client.Command[0]), Quick);
    }

    private async Task MoveAsync(SiloCluster cluster, string python)
    {
        Load load = await Load.StartAsync(cluster, Topic, Partitions);
        string bootstrap = string.Join(',', cluster.Silos.Select(static s => $"127.0.0.1:{s.Port}"));
        List<Fleet> fleets = [.. Protocols.Select(static p => new Fleet(p))];
        List<GroupWatch> watches = [];
        try
        {
            foreach (Fleet fleet in fleets)
            {
                for (int i = 0; i < MembersOfEach; i++) fleet.Members.Add(new Member(python, bootstrap, Topic, fleet.Group, fleet.Protocol, fleet.Processed));
                watches.Add(new GroupWatch(cluster, fleet.Group, fleet.Protocol));
            }
            await CommittedAsync(fleets, watches);
            List<TimeSpan> killed = [], planned = [];
            for (int round = 0; round < Rounds; round++)
            {
                for (int i = 0; i < fleets.Count; i++)
                {
                    await DisturbAsync(cluster, watches[i], fleets[i], kill: true, killed);
                    await CommitMoreAsync(cluster, watches);
                    await DisturbAsync(cluster, watches[i], fleets[i], kill: false, planned);
                    await CommitMoreAsync(cluster, watches);
                }
            }
            await load.CheckAsync();
            long[] ends = await EndsAsync(cluster);
            for (int i = 0; i < fleets.Count; i++) await AllProcessedAsync(fleets[i], watches[i], ends);
            foreach (GroupWatch watch in watches)
            {
                Assert.True(watch is { Looks: > 50, Coordinators: > 1 }, $"{watch.Looks} looks at {watch.Coordinators} coordinators: the test tested nothing");
                await watch.CheckAsync();
            }
            Output.WriteLine($"coordinator killed, its group served again: {killed.Summary()}");
            Output.WriteLine($"coordinator moved by plan, longest time without an answer: {planned.Summary()}");
            foreach (Fleet fleet in fleets)
            {
                Output.WriteLine($"{fleet.Protocol}: {ends.Sum()} records, {fleet.Processings} times processed, {fleet.Members.Sum(static m => m.Refused.Count)} commits refused");
                foreach (Member member in fleet.Members) await member.LeaveAsync();
            }
        }
        finally
        {
            foreach (GroupWatch watch in watches) await watch.DisposeAsync();
            foreach (Member member in fleets.SelectMany(static f => f.Members)) await member.DisposeAsync();
        }
    }

    /// <summary>Kills the coordinator, or has it hand over and end, and starts it again: it takes its share back by plan.</summary>
    private async Task DisturbAsync(SiloCluster cluster, GroupWatch watch, Fleet fleet, bool kill, List<TimeSpan> served)
    {
        SiloProcess coordinator = await cluster.CoordinatorAsync(fleet.Group);
        long moment = Stopwatch.GetTimestamp();
        if (kill) coordinator.Kill();
        else Assert.Equal(0, await coordinator.StopAsync());
        TimeSpan elsewhere = await watch.ServedElsewhereAsync(coordinator.NodeId, moment, Patience);
        served.Add(kill ? elsewhere : watch.LongestSilence(moment));
        long launched = Stopwatch.GetTimestamp();
        coordinator.Launch();
        await coordinator.AnswersAsync();
        await cluster.EvenAsync(Topic);
        Output.WriteLine($"{fleet.Protocol}: broker {coordinator.NodeId} {(kill ? "killed" : "stopped")}, the group served again after {served[^1].TotalMilliseconds:0} ms; "
            + $"back with its share, without an answer for at most {watch.LongestSilence(launched).TotalMilliseconds:0} ms");
    }

    private static async Task CommittedAsync(List<Fleet> fleets, List<GroupWatch> watches)
    {
        long since = Stopwatch.GetTimestamp();
        while (!watches.All(static w => w.Looks > 0 && w.Now.Committed.Count == Partitions))
        {
            foreach (Member dead in fleets.SelectMany(static f => f.Members).Where(static m => m.HasEnded)) Assert.Fail("a member ended by itself: " + await dead.ComplaintsAsync());
            Assert.True(Stopwatch.GetElapsedTime(since) < Patience, $"the groups commit nothing: {string.Join("; ", watches.Select(static w => w.Last))}");
            await Task.Delay(50);
        }
    }

    /// <summary>Completes when every group has committed more of every partition: its members go on under whoever coordinates it now.</summary>
    private static async Task CommitMoreAsync(SiloCluster cluster, List<GroupWatch> watches)
    {
        long since = Stopwatch.GetTimestamp();
        List<IReadOnlyDictionary<(string, int), long>> before = [.. watches.Select(static w => w.Now.Committed)];
        while (!watches.Zip(before).All(static w => w.Second.All(o => w.First.Now.Committed[o.Key] > o.Value)))
        {
            if (Stopwatch.GetElapsedTime(since) > Patience)
            {
                string ends = string.Join(',', await EndsAsync(cluster));
                Assert.Fail($"the groups do not go on: {string.Join("; ", watches.Zip(before).Select(static w => $"{w.First.Last}, committed {Offsets(w.Second)}, now {Offsets(w.First.Now.Committed)}"))}; the partitions end at {ends}");
            }
            await Task.Delay(50);
        }
    }

    private static string Offsets(IReadOnlyDictionary<(string Topic, int Partition), long> committed) =>
        string.Join(',', committed.OrderBy(static o => o.Key.Partition).Select(static o => $"{o.Key.Partition}:{o.Value}"));

    private static async Task<long[]> EndsAsync(SiloCluster cluster)
    {
        var ends = new long[Partitions];
        for (int partition = 0; partition < Partitions; partition++)
        {
            await using KafkaConnection leader = await cluster.ConnectToLeaderAsync(Topic, partition);
            ends[partition] = (await leader.ListOffsetAsync(Topic, partition, -1)).Offset;
        }
        return ends;
    }

    /// <summary>Every record of the topic was processed by somebody in the group, and everybody has a share.</summary>
    private static async Task AllProcessedAsync(Fleet fleet, GroupWatch watch, long[] ends)
    {
        long since = Stopwatch.GetTimestamp();
        while (true)
        {
            List<(int Partition, long Offset)> missing = [.. fleet.Missing(ends)];
            if (missing.Count == 0 && watch.Last is { State: "Stable", Members.Count: MembersOfEach } && watch.Last.IsBalanced(Partitions)) return;
            Assert.True(Stopwatch.GetElapsedTime(since) < Patience,
                $"{fleet.Group}: {missing.Count} records were processed by nobody{(missing.Count > 0 ? $", the first of them {missing[0]}" : "")}; the group is {watch.Last}");
            await Task.Delay(100);
        }
    }
}
