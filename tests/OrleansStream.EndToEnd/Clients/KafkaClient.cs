using OrleansStream.EndToEnd.Brokers;

namespace OrleansStream.EndToEnd.Clients;

/// <summary>How a client chooses the partition of a key.</summary>
internal enum Partitioner
{
    /// <summary>Kafka's own, of the Java client.</summary>
    Murmur2,

    /// <summary>librdkafka's default ("consistent_random").</summary>
    Crc32,
}

/// <summary>
/// A Kafka client in the form that tests/clients gives it: a program that speaks the contract of contract.py. What a client cannot do by its own
/// nature is said here, so that a test asks for everything else.
/// </summary>
internal sealed record KafkaClient(string Name, string Package, params string[] Command)
{
    private static readonly string[] AllCodecs = ["none", "gzip", "snappy", "lz4", "zstd"];
    private static readonly bool s_nodeHasZstd = NodeHasZstd();

    public string[] Codecs { get; init; } = AllCodecs;

    /// <summary>Codecs of other clients that it cannot read, as "codec" or "client codec".</summary>
    public string[] Unreadable { get; init; } = [];

    public Partitioner Partitioner { get; init; } = Partitioner.Murmur2;

    /// <summary>False: it reads in groups only.</summary>
    public bool Assigns { get; init; } = true;

    /// <summary>The values of group.protocol that it knows.</summary>
    public string[] GroupProtocols { get; init; } = ["classic"];

    /// <summary>False: it takes and prints lines of text.</summary>
    public bool Binary { get; init; } = true;

    public bool ChoosesPartition { get; init; } = true;
    public bool SetsTimestamp { get; init; } = true;
    public bool ReportsOffset { get; init; } = true;
    public bool StartsAtEnd { get; init; } = true;
    public bool StartsAtTimestamp { get; init; } = true;

    /// <summary>It starts a JVM for each partition that it reads: a slice of the tests asks less of it, and it is told where partitions end.</summary>
    public bool SlowStart { get; init; }

    /// <summary>What it is built on; null where it is a library of its own.</summary>
    public string? Library { get; init; }

    public bool EmptyKey { get; init; } = true;
    public bool NullHeader { get; init; } = true;
    public bool RepeatsHeader { get; init; } = true;

    public override string ToString() => Name;

    /// <summary>Skips the test, or fails it where CI is set, when the client is not installed.</summary>
    public void Needed()
    {
        if (IsInstalled) return;
        if (Package is "peers" or "python-wheels") Missing.Peers();
        Missing.Tool(Package, string.Join(' ', Command));
    }

    private static string Script(string name) => Path.Combine(Repository.Root, "tests", "clients", name);
    private const string Librdkafka = "librdkafka";
    private const string KafkaPython = "kafka-python";
    private const string DebianPython = "/usr/bin/python3";
    private static readonly string VenvPython = Path.Combine(Repository.Cache, "python", "bin", "python");

    public static readonly IReadOnlyList<KafkaClient> All =
    [
        new("kcat", "kcat", DebianPython, Script("python/with_kcat.py"))
            { Library = Librdkafka, Partitioner = Partitioner.Crc32, Binary = false, SetsTimestamp = false, ReportsOffset = false },
        new("python3-confluent-kafka", "python3-confluent-kafka", DebianPython, Script("python/with_confluent.py")) { Library = Librdkafka, Partitioner = Partitioner.Crc32 },
        new("python3-kafka", "python3-kafka", DebianPython, Script("python/with_kafka_python.py")) { Library = KafkaPython, NullHeader = false },
        new("kafkajs", "node", "node", Script("node/with_kafkajs.mjs"))
            { Assigns = false, NullHeader = false, Codecs = ["none", "gzip", "snappy"], Unreadable = ["lz4", "zstd"] },
        new("platformatic", "node", "node", Script("node/with_platformatic.mjs"))
            {
                NullHeader = false,
                GroupProtocols = ["classic", "consumer"],
                Codecs = s_nodeHasZstd ? AllCodecs : AllCodecs[..^1],
                // it knows snappy's raw form, not the framing of the Java client
                Unreadable = ["python3-kafka snappy", "kafka-python 3.0 snappy", "kafka-console snappy", .. s_nodeHasZstd ? Array.Empty<string>() : ["zstd"]],
            },
        new("confluent-kafka 2.16", "python-wheels", VenvPython, Script("python/with_confluent.py"))
            { Library = Librdkafka, Partitioner = Partitioner.Crc32, GroupProtocols = ["classic", "consumer"] },
        new("kafka-python 3.0", "python-wheels", VenvPython, Script("python/with_kafka_python.py")) { Library = KafkaPython, NullHeader = false },
        new("aiokafka", "python-wheels", VenvPython, Script("python/with_aiokafka.py"))
            // its other codecs come with cramjam, which its wheel does not bring
            { Codecs = ["none", "gzip"], Unreadable = ["snappy", "lz4", "zstd"] },
        new("kafka-console", "peers", DebianPython, Script("python/with_console.py"))
            { Binary = false, ChoosesPartition = false, SetsTimestamp = false, ReportsOffset = false, StartsAtEnd = false, StartsAtTimestamp = false, SlowStart = true,
              GroupProtocols = ["classic", "consumer"] },
    ];

    /// <summary>One client of each library, the newest that is installed; in a long run all.</summary>
    public static IReadOnlyList<KafkaClient> Representatives => Repository.Full
        ? All
        : [.. All.GroupBy(c => c.Library ?? c.Name).Select(g => g.LastOrDefault(c => c.IsInstalled) ?? g.First())];

    public static KafkaClient Named(string name) => All.First(c => c.Name == name);

    /// <summary>A client that reads everything, for those that only write: the first one installed.</summary>
    public static KafkaClient Reader => All.FirstOrDefault(c => c is { Binary: true, Assigns: true } && c.IsInstalled) ?? Named("python3-confluent-kafka");

    private bool IsInstalled => (!Path.IsPathRooted(Command[0]) || File.Exists(Command[0])) && Package switch
    {
        "peers" => Repository.Peers is not null,
        "python-wheels" => true,
        "node" => Directory.Exists(Path.Combine(Repository.Cache, "node", "node_modules")),
        _ => File.Exists($"/var/lib/dpkg/info/{Package}.list"),
    };

    /// <summary>Node.js has zstd of its own from 22.15 on, and @platformatic/kafka takes it from there.</summary>
    private static bool NodeHasZstd()
    {
        try
        {
            using var node = System.Diagnostics.Process.Start(new System.Diagnostics.ProcessStartInfo("node", ["-p", "typeof require('zlib').zstdCompressSync"]) { RedirectStandardOutput = true })!;
            return node.StandardOutput.ReadToEnd().Trim() == "function";
        }
        catch (System.ComponentModel.Win32Exception) { return false; }
    }
}
