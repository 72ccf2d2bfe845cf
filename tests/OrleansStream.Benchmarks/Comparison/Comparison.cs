using OrleansStream.Benchmarks.Brokers;

namespace OrleansStream.Benchmarks.Comparison;

/// <summary>Runs both brokers in turn, never at once, on the same disk, and prints medians and ratios.</summary>
internal static class Comparison
{
    public static void Run(Arguments options)
    {
        Plan plan = Plan.From(options);
        string kafka = Path.Combine(options.Text("peers", Environment.GetEnvironmentVariable("KAFKA_PEERS") ?? "../shared/peers"), "kafka", "kafka");
        string assembly = options.Text("assembly", "src/OrleansStream.Standalone/bin/Release/net10.0/ostream-standalone.dll");
        string folder = Path.GetFullPath(options.Text("folder", "data/benchmarks"));
        string only = options.Text("only", "");
        string phases = options.Text("phases", "main,sustained,memory,groups");
        string[] overrides = options.Text("override", "").Split(' ', StringSplitOptions.RemoveEmptyEntries);
        string file = options.Text("out", "");
        options.RefuseOthers();

        var makers = new List<Func<BrokerProcess>>();
        if (only != "kafka")
            makers.Add(() => new OrleansStreamBroker(Existing(assembly), Path.Combine(folder, "ours"), overrides));
        if (only != "ours")
            makers.Add(() => new KafkaBroker(Existing(kafka), Path.Combine(folder, "kafka")));
        var measurements = new Measurements();
        var rounds = new Rounds(plan, measurements, File.Exists(kafka) ? new PerfTools(kafka) : null);
        string[] wanted = phases.Split(',');
        var disk = new List<DiskProbe.Speed>();
        for (int round = 1; round <= plan.Rounds; round++)
        {
            disk.Add(DiskProbe.Run(folder));
            foreach (Func<BrokerProcess> make in makers)
            {
                Console.Error.WriteLine($"round {round} of {plan.Rounds}");
                if (wanted.Contains("main"))
                    rounds.Main(make());
                if (wanted.Contains("acknowledge"))
                    rounds.Acknowledge(make());
                if (wanted.Contains("sustained") && plan.SustainedBytes > 0)
                {
                    rounds.Sustained(make(), 1, Figures.Sustained1);
                    rounds.Sustained(make(), 12, Figures.Sustained12);
                }
                if (wanted.Contains("memory"))
                    rounds.Memory(make());
                if (wanted.Contains("groups"))
                    new GroupRounds(plan, measurements).Run(make());
            }
        }

        string report = Report.Write(measurements, "OrleansStream", "Apache Kafka", plan) + Environment.NewLine + DiskProbe.Describe(disk);
        Console.WriteLine(report);
        if (file.Length > 0)
            File.WriteAllText(file, report);
    }

    private static string Existing(string file) =>
        File.Exists(file) ? Path.GetFullPath(file) : throw new FileNotFoundException($"{file} is not there. Build it, or say where it is, or use --only.");
}
