using System.Globalization;
using OrleansStream.EndToEnd.Brokers;

namespace OrleansStream.Cluster.EndToEnd.Clients;

/// <summary>Whom a tool talks to, and of what.</summary>
internal sealed record Place(string Bootstrap, string Topic, int Partitions);

/// <summary>
/// A Kafka client that can work without rest: an idempotent producer and a consumer, each a process that prints what tests/clients/python/steady.py says, until
/// SIGTERM.
/// </summary>
/// <param name="Producer">Its command line, given the number that its records carry.</param>
/// <param name="Consumer">Its command line, given the name of the group that it reads in where it does read in one.</param>
internal sealed record SteadyTool(string Name, int Id, Func<Place, int, IReadOnlyList<string>> Producer, Func<Place, string, IReadOnlyList<string>> Consumer)
{
    private const string DebianPython = "/usr/bin/python3";
    private static readonly string s_venvPython = Path.Combine(Repository.Cache, "python", "bin", "python");

    /// <summary>Null: it is installed. Where CI is set only what ./test.sh could not install may be missing.</summary>
    public required Func<string?> Absent { get; init; }

    /// <summary>Its consumer starts where its group has committed, and reads again what it had not: it may go back, to there.</summary>
    public bool ReadsInGroup { get; init; }

    /// <summary>Its records are kafka-verifiable-producer's.</summary>
    public bool BareRecords { get; init; }

    public override string ToString() => Name;

    /// <summary>For a test that asks one only.</summary>
    public static SteadyTool ConfluentKafka => All[^1];

    public static readonly IReadOnlyList<SteadyTool> All =
    [
        new("kcat", 1,
            static (place, id) => [DebianPython, Script("steady_kcat.py"), "produce", place.Bootstrap, place.Topic, Text(place.Partitions), Text(id)],
            static (place, _) =>
            [
                "kcat", "-C", "-E", "-b", place.Bootstrap, "-t", place.Topic, "-o", "beginning", "-q", "-u", "-X", "broker.address.family=v4", "-X", "auto.offset.reset=error",
                "-f", """{"name":"record_data","partition":%p,"offset":%o,"key":"%k","value":"%s"}\n""",
            ])
            { Absent = static () => Missing.Package("kcat") },
        new("Java", 2,
            static (place, id) => Java("VerifiableProducer", place,
                ["--acks", "-1", "--throughput", "200", "--repeating-keys", Text(SteadyRecords.Keys), "--value-prefix", Text(id), "--command-config", JavaFile("steady-producer.properties")]),
            static (place, group) => Java("VerifiableConsumer", place, ["--group-id", group, "--verbose"]))
            { Absent = static () => Repository.Peers is null ? "KAFKA_PEERS is absent: no Java client" : null, ReadsInGroup = true, BareRecords = true },
        new("confluent-kafka", 3,
            static (place, id) => [NewestPython, Script("steady_confluent.py"), "produce", place.Bootstrap, place.Topic, Text(place.Partitions), Text(id)],
            static (place, _) => [NewestPython, Script("steady_confluent.py"), "consume", place.Bootstrap, place.Topic, Text(place.Partitions)])
            { Absent = static () => NewestPython == DebianPython ? Missing.Package("python3-confluent-kafka") : null },
    ];

    /// <summary>The newest librdkafka that is here.</summary>
    private static string NewestPython => File.Exists(s_venvPython) ? s_venvPython : DebianPython;

    /// <summary>The JVM itself, not the script beside it, which would not pass a signal on.</summary>
    private static string[] Java(string tool, Place place, string[] arguments) =>
    [
        Environment.GetEnvironmentVariable("JAVA") ?? "java", "-Xmx256m", "-XX:+UseSerialGC",
        .. (Environment.GetEnvironmentVariable("JAVA_OPTS") ?? "").Split(' ', StringSplitOptions.RemoveEmptyEntries),
        $"-Dlog4j2.configurationFile={JavaFile("log4j2.properties")}", "-cp", Path.Combine(Repository.Peers!, "kafka", "libs", "*"), $"org.apache.kafka.tools.{tool}",
        "--bootstrap-server", place.Bootstrap, "--topic", place.Topic, .. arguments,
    ];

    private static string Script(string name) => Path.Combine(Repository.Root, "tests", "clients", "python", name);

    private static string JavaFile(string name) => Path.Combine(Repository.Root, "tests", "clients", "java", name);

    private static string Text(int number) => number.ToString(CultureInfo.InvariantCulture);
}
