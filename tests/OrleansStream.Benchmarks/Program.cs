using OrleansStream.Benchmarks;
using OrleansStream.Benchmarks.Client;
using OrleansStream.Benchmarks.Comparison;
using OrleansStream.Benchmarks.Engines;
using OrleansStream.Benchmarks.Forwarding;
using OrleansStream.Benchmarks.Load;

const string Usage = """
    produce  --broker HOST:PORT --topic T [--partitions 1] [--megabytes 1000] [--connections 2] [--in-flight 5] [--record-bytes 1024] [--request-bytes 1048576]
    consume  --broker HOST:PORT --topic T [--connections 2] [--megabytes ...]
    latency  --broker HOST:PORT --topic T [--rate 10000] [--seconds 10] [--record-bytes 1024] [--trace FILE]
             each creates the topic where it has --partitions; `latency` always does
    compare  [--quick] [--rounds 5] [--only ours|kafka] [--phases main,acknowledge,sustained,memory,groups] [--out FILE] [--folder data/benchmarks] [--override "key=value ..."]
             [--warm-up-mb 1000] [--burst-mb 536] [--sustained-mb 20000] [--latency-seconds 20] [--perf-tool-records 1000000] [--many-partitions 2000]
             [--latency-trace FILE] [--group-seconds 10] [--group-commits 1000000]
    forward  [--rounds 5] [--megabytes 500] [--requests 20000] [--assembly FILE] [--folder data/benchmarks/forward]
             produces through the silo that leads a partition and through one that forwards to it
    engines  [--rounds 3] [--warm-up-mb 500] [--burst-mb 536] [--latency-seconds 8] [--standalone FILE] [--silo FILE] [--folder data/benchmarks/engines]
             the same load on Standalone, on one silo and on three
    """;

if (args.Length == 0)
{
    Console.Error.WriteLine(Usage);
    return 2;
}

var options = new Arguments(args[1..]);
switch (args[0])
{
    case "produce":
    case "consume":
    case "latency":
        Single(args[0]);
        return 0;
    case "compare":
        Comparison.Run(options);
        return 0;
    case "engines":
        EngineComparison.Run(options);
        return 0;
    case "forward":
        ForwardComparison.Run(options);
        return 0;
    default:
        Console.Error.WriteLine(Usage);
        return 2;
}

void Single(string what)
{
    string[] address = options.Text("broker", "127.0.0.1:9092").Split(':');
    var broker = new BrokerClient(address[0], int.Parse(address[1]));
    string name = options.Text("topic", "bench");
    int partitions = options.Count("partitions", 0);
    if (what == "latency" && partitions == 0)
        partitions = 1;
    string? line = null;
    switch (what)
    {
        case "produce":
            double megabytes = options.Number("megabytes", 1000);
            int connections = options.Count("connections", 2), inFlight = options.Count("in-flight", 5);
            int recordBytes = options.Count("record-bytes", 1024), requestBytes = options.Count("request-bytes", 1 << 20);
            options.RefuseOthers();
            var produced = new ProduceLoad(broker, Topic())
            {
                Connections = connections, InFlight = inFlight, RecordBytes = recordBytes, RequestBytes = requestBytes,
            }.Run((long)(megabytes * 1e6));
            line = $"{produced.MegabytesPerSecond:0} MB/s, {produced.Records} records, {produced.Seconds:0.00} s";
            break;
        case "consume":
            connections = options.Count("connections", 2);
            double most = options.Number("megabytes", 1e12);
            options.RefuseOthers();
            var consumed = new ConsumeLoad(broker, Topic()) { Connections = connections, MaxBytes = (long)(most * 1e6) }.Run();
            line = $"{consumed.MegabytesPerSecond:0} MB/s, {consumed.Records} records, {consumed.Seconds:0.00} s";
            break;
        default:
            int rate = options.Count("rate", 10_000);
            double seconds = options.Number("seconds", 10);
            recordBytes = options.Count("record-bytes", 1024);
            string trace = options.Text("trace", "");
            options.RefuseOthers();
            var latency = new LatencyLoad(broker, Topic()) { RecordsPerSecond = rate, Seconds = seconds, RecordBytes = recordBytes, TraceFile = trace }.Run();
            line = $"acknowledge {latency.Acknowledge}\nend to end  {latency.EndToEnd}\n"
                + $"{latency.RecordsPerRequest:0.0} records a request{(latency.Sustained ? "" : "; DID NOT KEEP UP")}";
            break;
    }
    Console.WriteLine(line);

    BenchTopic Topic() => partitions > 0 ? broker.CreateTopic(name, partitions) : broker.Topic(name);
}
