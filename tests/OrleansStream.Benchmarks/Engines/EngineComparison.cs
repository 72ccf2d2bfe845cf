using System.Globalization;
using OrleansStream.Benchmarks.Brokers;
using OrleansStream.Benchmarks.Client;
using OrleansStream.Benchmarks.Load;
using OrleansStream.Protocol.Messages;

namespace OrleansStream.Benchmarks.Engines;

/// <summary>
/// The same load on the engines, in turns: Standalone and one silo with a disk journal each; one silo and three silos with journals in a folder that they share.
/// The ratios are one silo to Standalone, and three silos, all on this machine, to one of them.
/// </summary>
internal static class EngineComparison
{
    private const int Partitions = 12;

    // Once takes a sixth of a second; of three silos each would have served a third of that. What warms them is read as often, for their code to be warm.
    private const int Readings = 8;

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    private sealed record Setting(string Name, Func<BrokerProcess[]> Make);

    private sealed record Plan(int Rounds, long WarmUpBytes, long BurstBytes, double LatencySeconds);

    public static void Run(Arguments options)
    {
        string standalone = options.Text("standalone", "src/OrleansStream.Standalone/bin/Release/net10.0/ostream-standalone.dll");
        string silo = options.Text("silo", "src/OrleansStream.Silo/bin/Release/net10.0/ostream-silo.dll");
        string folder = Path.GetFullPath(options.Text("folder", "data/benchmarks/engines"));
        var plan = new Plan(
            options.Count("rounds", 3), (long)(options.Number("warm-up-mb", 500) * 1e6), (long)(options.Number("burst-mb", 536) * 1e6), options.Number("latency-seconds", 8));
        options.RefuseOthers();

        Setting[] settings =
        [
            new("Standalone, disk journal", () => [new OrleansStreamBroker(standalone, Path.Combine(folder, "standalone"), [])]),
            new("one silo, disk journal", () => [new OrleansStreamBroker(silo, Path.Combine(folder, "silo"), ["orleans.silo.port=0", "orleans.gateway.port=none"])]),
            new("one silo, shared folder", () => [new SiloBroker(silo, Path.Combine(folder, "one"), 1, oneAddress: false)]),
            new("three silos, shared folder", () => [.. Enumerable.Range(1, 3).Select(id => new SiloBroker(silo, Path.Combine(folder, "three"), id, oneAddress: false))]),
        ];
        var figures = settings.ToDictionary(static s => s.Name, static _ => new SortedDictionary<string, List<double>>(StringComparer.Ordinal));
        for (int round = 1; round <= plan.Rounds; round++)
        {
            foreach (Setting setting in settings)
            {
                foreach ((string figure, double value) in Measure(setting, plan))
                {
                    (figures[setting.Name].TryGetValue(figure, out List<double>? values) ? values : figures[setting.Name][figure] = []).Add(value);
                    Console.Error.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{round}: {setting.Name}, {figure}: {value:0.00}"));
                }
            }
        }

        Console.WriteLine("| |" + string.Concat(settings.Select(static s => $" {s.Name} |")) + " silo to Standalone | three to one |");
        Console.WriteLine("|---|" + string.Concat(settings.Select(static _ => "---|")) + "---|---|");
        foreach (string figure in figures[settings[0].Name].Keys)
        {
            double[] medians = [.. settings.Select(s => figures[s.Name].TryGetValue(figure, out List<double>? values) ? values.Order().ElementAt(values.Count / 2) : double.NaN)];
            Console.WriteLine($"| {figure} |" + string.Concat(medians.Append(medians[1] / medians[0]).Append(medians[3] / medians[2]).Select(Cell)));
        }
    }

    private static string Cell(double value) => double.IsNaN(value) ? " - |" : string.Create(CultureInfo.InvariantCulture, $" {value:0.00} |");

    private static IEnumerable<(string Figure, double Value)> Measure(Setting setting, Plan plan)
    {
        BrokerProcess[] brokers = setting.Make();
        try
        {
            foreach (BrokerProcess broker in brokers)
                broker.Start();
            BenchTopic[] warm = Create(brokers, "warm-up", Partitions);
            Together(brokers, warm, (client, topic) => new ProduceLoad(client, topic).Run(plan.WarmUpBytes / brokers.Length));
            Together(brokers, warm, Read);
            brokers[0].Client.DeleteTopic("warm-up");
            yield return ("produce, 1 MiB a request, MB/s", Produced(brokers, "large", 1 << 20, plan.BurstBytes));
            yield return ("produce, 16 KiB a request, MB/s", Produced(brokers, "small", 16 << 10, plan.BurstBytes / 4));
            BenchTopic[] hot = Led(brokers, "large", Partitions);
            yield return ("consume what is hot, MB/s", Readings * plan.BurstBytes / 1e6 / Together(brokers, hot, Read));
            if (brokers.Length > 1)
                yield break;
            BenchTopic one = Create(brokers, "latency", 1)[0];
            Native.SyncDisks();
            LatencyLoad.Result latency = new LatencyLoad(brokers[0].Client, one) { Seconds = plan.LatencySeconds }.Run();
            yield return ("acknowledge p50, ms", latency.Acknowledge.P50);
            yield return ("acknowledge p99, ms", latency.Acknowledge.P99);
        }
        finally
        {
            foreach (BrokerProcess broker in brokers.Skip(1))
                broker.Stop();
            brokers[0].Dispose();
        }
    }

    private static void Read(BrokerClient client, BenchTopic topic)
    {
        for (int reading = 0; reading < Readings; reading++)
            new ConsumeLoad(client, topic).Run();
    }

    private static double Produced(BrokerProcess[] brokers, string name, int requestBytes, long bytes)
    {
        BenchTopic[] topics = Create(brokers, name, Partitions);
        Native.SyncDisks();
        long each = bytes / brokers.Length;
        return bytes / 1e6 / Together(brokers, topics, (client, topic) => new ProduceLoad(client, topic) { RequestBytes = requestBytes }.Run(each));
    }

    /// <summary>Runs a load on every broker at once, on what it leads; the seconds until the last has ended.</summary>
    private static double Together(BrokerProcess[] brokers, BenchTopic[] topics, Action<BrokerClient, BenchTopic> load)
    {
        long start = System.Diagnostics.Stopwatch.GetTimestamp();
        Parallel.For(0, brokers.Length, new ParallelOptions { MaxDegreeOfParallelism = brokers.Length }, i => load(brokers[i].Client, topics[i]));
        return System.Diagnostics.Stopwatch.GetElapsedTime(start).TotalSeconds;
    }

    private static BenchTopic[] Create(BrokerProcess[] brokers, string name, int partitions)
    {
        using BrokerConnection connection = brokers[0].Client.Connect();
        var topic = new CreateTopicsRequest.CreatableTopic { Name = name, NumPartitions = partitions, ReplicationFactor = 1 };
        connection.Call<CreateTopicsRequest, CreateTopicsResponse>(new() { Topics = { topic } }, 5);
        return Led(brokers, name, partitions);
    }

    /// <summary>The topic as each broker leads it, once all of it is led, evenly, and every broker knows it.</summary>
    private static BenchTopic[] Led(BrokerProcess[] brokers, string name, int partitions)
    {
        DateTime end = DateTime.UtcNow + Patience;
        while (DateTime.UtcNow < end)
        {
            BenchTopic?[] led = [.. brokers.Select(broker => Led(broker, name, partitions))];
            if (led.All(t => t is not null) && led.Sum(static t => t!.Used.Count) == partitions && led.All(t => t!.Used.Count >= partitions / brokers.Length))
                return led!;
            Thread.Sleep(50);
        }
        throw new TimeoutException($"{name} is not led evenly after {Patience}");
    }

    private static BenchTopic? Led(BrokerProcess broker, string name, int partitions)
    {
        using BrokerConnection connection = broker.Client.Connect();
        var request = new MetadataRequest { Topics = [new() { Name = name }], AllowAutoTopicCreation = false };
        MetadataResponse answer = connection.Call<MetadataRequest, MetadataResponse>(request, 12);
        MetadataResponse.MetadataResponseTopic topic = answer.Topics[0];
        if (topic.ErrorCode != 0 || topic.Partitions.Count != partitions || topic.Partitions.Exists(static p => p.LeaderId < 0 || p.LeaderEpoch < 0))
            return null;
        int self = answer.Brokers.First(b => b.Port == broker.Client.Port).NodeId;
        return new BenchTopic(name, topic.TopicId, partitions) { Used = [.. topic.Partitions.Where(p => p.LeaderId == self).Select(static p => p.PartitionIndex)] };
    }
}
