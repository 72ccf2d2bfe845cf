using System.Globalization;
using OrleansStream.Benchmarks.Brokers;
using OrleansStream.Benchmarks.Client;
using OrleansStream.Benchmarks.Load;
using OrleansStream.Protocol.Messages;

namespace OrleansStream.Benchmarks.Forwarding;

/// <summary>
/// Produces to a partition through the silo that leads it, and through another one, which forwards (setting one.address): in turns, in the same two processes.
/// The leader's silo does not have the setting, so that it shows who leads.
/// </summary>
internal static class ForwardComparison
{
    private const double Gigabyte = 1e9;

    private sealed record Figure(double Seconds, double CpuSeconds, long Bytes, long Records);

    public static void Run(Arguments options)
    {
        string assembly = Path.GetFullPath(options.Text("assembly", "src/OrleansStream.Silo/bin/Release/net10.0/ostream-silo.dll"));
        string folder = Path.GetFullPath(options.Text("folder", "data/benchmarks/forward"));
        int rounds = options.Count("rounds", 5);
        long bytes = (long)(options.Number("megabytes", 500) * 1e6);
        long requests = options.Count("requests", 20_000);
        options.RefuseOthers();

        var near = new SiloBroker(assembly, folder, 1, oneAddress: false);
        var far = new SiloBroker(assembly, folder, 2, oneAddress: true);
        try
        {
            near.Start();
            far.Start();
            BenchTopic topic = LedBy(near);
            Console.WriteLine($"{topic.Name} is led by {near.Name}; {far.Name} forwards. Ratios: forwarded to direct.");
            Compare("1 MiB a request, MB/s", rounds, near, far, broker => Produce(topic, broker, near, far, 1 << 20, bytes),
                static f => f.Bytes / 1e6 / f.Seconds, static f => $"{f.CpuSeconds / (f.Bytes / Gigabyte):0.00} s/GB");
            Compare("1 record of 1 KiB a request, requests/s", rounds, near, far, broker => Produce(topic, broker, near, far, 1200, requests * 1100),
                static f => f.Records / f.Seconds, static f => $"{f.CpuSeconds / f.Records * 1e6:0} us a request");
        }
        finally
        {
            far.Stop();
            near.Dispose();
        }
    }

    private static void Compare(
        string what, int rounds, SiloBroker near, SiloBroker far, Func<SiloBroker, Figure> measure, Func<Figure, double> speedOf, Func<Figure, string> costOf)
    {
        // Code that is compiled while it runs, chunks and connections that are made at the first use.
        measure(near);
        measure(far);
        List<double> direct = [], forwarded = [], ratios = [];
        for (int round = 1; round <= rounds; round++)
        {
            Figure straight = measure(near), around = measure(far);
            direct.Add(speedOf(straight));
            forwarded.Add(speedOf(around));
            ratios.Add(speedOf(around) / speedOf(straight));
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
                $"  {what}: direct {direct[^1]:0} ({costOf(straight)} of both silos), forwarded {forwarded[^1]:0} ({costOf(around)}), ratio {ratios[^1]:0.00}"));
        }
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"{what}: median direct {Median(direct):0}, forwarded {Median(forwarded):0}, ratio {Median(ratios):0.00}"));
    }

    private static Figure Produce(BenchTopic topic, SiloBroker through, SiloBroker near, SiloBroker far, int requestBytes, long bytes)
    {
        Native.SyncDisks();
        double cpu = near.CpuSeconds() + far.CpuSeconds();
        ProduceLoad.Result result = new ProduceLoad(through.Client, topic) { RequestBytes = requestBytes }.Run(bytes);
        return new Figure(result.Seconds, near.CpuSeconds() + far.CpuSeconds() - cpu, result.Bytes, result.Records);
    }

    /// <summary>A topic of one partition that this silo leads: the cluster gives them out in turns.</summary>
    private static BenchTopic LedBy(SiloBroker silo)
    {
        for (int i = 0; i < 10; i++)
        {
            using BrokerConnection connection = silo.Client.Connect();
            BenchTopic topic = new($"forward-{i}", Guid.Empty, 1);
            var created = new CreateTopicsRequest.CreatableTopic { Name = topic.Name, NumPartitions = 1, ReplicationFactor = 1 };
            connection.Call<CreateTopicsRequest, CreateTopicsResponse>(new() { Topics = { created } }, 5);
            var request = new MetadataRequest { Topics = [new() { Name = topic.Name }], AllowAutoTopicCreation = false };
            for (int wait = 0; wait < 200; wait++)
            {
                MetadataResponse.MetadataResponsePartition? partition = connection.Call<MetadataRequest, MetadataResponse>(request, 12).Topics[0].Partitions.FirstOrDefault();
                if (partition is { LeaderId: >= 0, LeaderEpoch: >= 0 })
                {
                    if (partition.LeaderId == silo.NodeId)
                        return topic;
                    break;
                }
                Thread.Sleep(50);
            }
        }
        throw new InvalidOperationException($"{silo.Name} leads none of ten topics");
    }

    private static double Median(List<double> values) => values.Order().ElementAt(values.Count / 2);
}
