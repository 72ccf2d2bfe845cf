using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;
using OrleansStream.Cluster.EndToEnd.Clients;
using OrleansStream.Cluster.EndToEnd.History;
using OrleansStream.Cluster.EndToEnd.Silos;
using OrleansStream.EndToEnd.Brokers;
using OrleansStream.EndToEnd.Fleet;
using OrleansStream.EndToEnd.Wire;
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

    /// <summary>Idempotent, because a producer that is not reorders by itself what it sends again, as it may whenever a leader changes on a busy machine.</summary>
    [SkippableFact]
    public Task Records_of_one_connection_stay_in_their_order() => BalancedAsync(async cluster =>
    {
        Skip.IfNot(Repository.Full, "with --full only; the tests of Broker show the order, too");
        if (!File.Exists("/var/lib/dpkg/info/kcat.list")) Missing.Tool("kcat", "kcat");
        await cluster.CreateTopicAsync("ordered", 3);
        const int records = 100_000;
        string lines = string.Concat(Enumerable.Range(0, records).Select(static i => i.ToString(CultureInfo.InvariantCulture) + "\n"));
        for (int partition = 0; partition < 3; partition++)
        {
            string place = partition.ToString(CultureInfo.InvariantCulture);
            await RunAsync("kcat", lines, "-P", "-b", cluster.Bootstrap, "-t", "ordered", "-p", place, "-X", "linger.ms=0", "-X", "batch.num.messages=20", "-X", "enable.idempotence=true");
            Assert.Equal(lines, await RunAsync("kcat", "", "-C", "-q", "-e", "-b", cluster.Bootstrap, "-t", "ordered", "-p", place, "-o", "beginning"));
        }
        Output.WriteLine($"kcat: {records} records in each of 3 partitions, in requests of 20, all there in their order");
    });

    /// <summary>Clients of three kinds and groups of both protocols, while a silo that some of them are connected to is killed.</summary>
    [SkippableFact]
    public Task Clients_and_groups_go_on_when_a_silo_is_killed() => BalancedAsync(async cluster =>
    {
        string python = Path.Combine(Repository.Cache, "python", "bin", "python");
        if (!File.Exists(python)) Missing.Tool("python-wheels", python);
        const int GroupPartitions = 6;
        await cluster.CreateTopicAsync("grouped", GroupPartitions);
        await using SteadyClients clients = await SteadyClients.StartAsync(cluster, Output, Repository.Full ? [] : [SteadyTool.ConfluentKafka]);
        var read = new Dictionary<string, ConcurrentDictionary<(int, long), int>> { ["classic"] = new(), ["consumer"] = new() };
        List<Member> members = [.. read.SelectMany(g => Enumerable.Range(0, 2).Select(_ => new Member(python, cluster.Bootstrap, "grouped", g.Key, g.Key, (p, o) => g.Value.AddOrUpdate((p, o), 1, static (_, n) => n + 1))))];
        try
        {
            var history = new TopicHistory("grouped", GroupPartitions);
            List<SteadyProducer> producers = [.. Enumerable.Range(0, GroupPartitions).Select(p => new SteadyProducer(cluster, history, p, p + 1, TimeSpan.FromSeconds(30)))];
            await UntilAsync(() => read.Values.All(static r => r.Count > 100), "the groups do not read");
            SiloProcess victim = cluster.Silos[Environment.TickCount % Silos];
            long moment = Stopwatch.GetTimestamp();
            victim.Kill();
            await Task.WhenAll(producers.Select(static p => p.DeliversAfterAsync(Stopwatch.GetTimestamp())));
            victim.Launch();
            await victim.AnswersAsync();
            await clients.ProceedAsync(moment);
            if (Repository.Peers is { } peers) Output.WriteLine(await JavaAsync(cluster, Path.Combine(peers, "kafka", "kafka")));
            else Output.WriteLine("SKIPPED: Kafka's own tools are not here");
            await Task.WhenAll(producers.Select(static p => p.StopAsync()));
            await using (KafkaConnection connection = await KafkaConnection.OpenAsync(cluster.Balancer!.Port))
            {
                long[] ends = new long[GroupPartitions];
                for (int partition = 0; partition < GroupPartitions; partition++) ends[partition] = (await connection.FetchAsync("grouped", partition, 0)).HighWatermark;
                foreach ((string protocol, ConcurrentDictionary<(int Partition, long Offset), int> got) in read)
                {
                    await UntilAsync(() => got.Keys.GroupBy(static k => k.Partition).Count(g => g.Count() == ends[g.Key]) == GroupPartitions, $"the group of protocol {protocol} has not read everything: {got.Count} of {ends.Sum()}");
                    Output.WriteLine($"group of protocol {protocol}: {got.Count} records, {got.Values.Sum()} times read");
                }
            }
            await history.CheckAsync(_ => KafkaConnection.OpenAsync(cluster.Balancer!.Port));
            foreach (Member member in members) await member.LeaveAsync();
            await clients.CheckAsync();
            await ListsEachGroupOnceAsync(cluster);
        }
        finally
        {
            foreach (Member member in members) await member.DisposeAsync();
        }
    }, "group.initial.rebalance.delay.ms=0", "group.min.session.timeout.ms=3000", "group.consumer.min.session.timeout.ms=3000", "group.consumer.session.timeout.ms=6000", "group.consumer.min.heartbeat.interval.ms=500", "group.consumer.heartbeat.interval.ms=500", "offsets.topic.num.partitions=6");

    /// <summary>Kafka's console tools; the consumer is in a group.</summary>
    private static async Task<string> JavaAsync(SiloCluster cluster, string kafka)
    {
        await using (KafkaConnection connection = await KafkaConnection.OpenAsync(cluster.Balancer!.Port)) await connection.CreateTopicAsync("java", 3);
        string[] lines = [.. Enumerable.Range(0, 2000).Select(static i => $"line {i}")];
        await RunAsync(kafka, string.Join('\n', lines) + "\n", "console-producer", "--bootstrap-server", cluster.Bootstrap, "--topic", "java");
        string got = await RunAsync(kafka, "", "console-consumer", "--bootstrap-server", cluster.Bootstrap, "--topic", "java", "--from-beginning", "--group", "java", "--max-messages", "2000", "--timeout-ms", "60000");
        Assert.Equal(lines.Order(StringComparer.Ordinal), got.Split('\n', StringSplitOptions.RemoveEmptyEntries).Order(StringComparer.Ordinal));
        return "Kafka's console tools: 2000 lines written and read in a group";
    }

    private static async Task ListsEachGroupOnceAsync(SiloCluster cluster)
    {
        foreach (SiloProcess silo in cluster.Silos)
        {
            await using KafkaConnection connection = await KafkaConnection.OpenAsync(silo.Port);
            WireReader answer = await connection.AskAsync(16, 0, new WireWriter());
            Assert.Equal(0, answer.Int16());
            List<string?> groups = answer.Array(static r => { string? id = r.Text(); r.Text(); return id; });
            Assert.Equal(groups.Distinct().Count(), groups.Count);
            Assert.Contains("classic", groups);
            Assert.Contains("consumer", groups);
        }
    }

    private static async Task UntilAsync(Func<bool> condition, string otherwise)
    {
        for (long since = Stopwatch.GetTimestamp(); !condition(); await Task.Delay(50))
        {
            if (Stopwatch.GetElapsedTime(since) > TimeSpan.FromSeconds(120)) throw new TimeoutException(otherwise);
        }
    }

    private static async Task<string> RunAsync(string program, string input, params string[] arguments)
    {
        var info = new ProcessStartInfo(program, arguments) { RedirectStandardInput = true, RedirectStandardOutput = true, RedirectStandardError = true };
        using Process process = Process.Start(info)!;
        Task<string> output = process.StandardOutput.ReadToEndAsync(), complaints = process.StandardError.ReadToEndAsync();
        await process.StandardInput.WriteAsync(input);
        process.StandardInput.Close();
        await process.WaitForExitAsync();
        Assert.True(process.ExitCode == 0, $"{program} ended with {process.ExitCode}: {await complaints}");
        return await output;
    }
}
