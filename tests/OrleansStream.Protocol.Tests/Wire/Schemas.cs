using OrleansStream.Protocol.Generator;

namespace OrleansStream.Protocol.Tests.Wire;

/// <summary>Our schemas, parsed from the files that the build compiles, and where the reference data lies.</summary>
internal static class Schemas
{
    public static string Root { get; } = FindRoot();

    private static readonly List<Schema> Files = Load();

    public static IReadOnlyDictionary<string, Message> Messages { get; } = Files.SelectMany(file => file.Messages).ToDictionary(message => message.Name);

    private static readonly Dictionary<string, string> Namespaces =
        Files.SelectMany(file => file.Messages, (file, message) => (message.Name, file.Namespace)).ToDictionary();

    public static string GoldenFile { get; } = Path.Combine(Root, "tests", "golden", "messages.txt");

    /// <summary>Kafka's definitions; null where this machine has none.</summary>
    public static string? KafkaMessages { get; } = Existing("KAFKA_MESSAGES", "kafka-messages");

    /// <summary>Real Kafka software to compare with; null where this machine has none.</summary>
    public static string? KafkaPeers { get; } = Existing("KAFKA_PEERS", "peers");

    /// <summary>The generated class of a message.</summary>
    public static Type ClassOf(string message) => typeof(KafkaReader).Assembly.GetType($"{Namespaces[message]}.{message}", throwOnError: true)!;

    private static List<Schema> Load() =>
        Directory.EnumerateFiles(Path.Combine(Root, "src", "OrleansStream.Protocol", "Messages"), "*.schema", SearchOption.AllDirectories)
            .Order(StringComparer.Ordinal)
            .Select(file => SchemaParser.Parse(File.ReadLines(file)))
            .ToList();

    private static string? Existing(string variable, string folder)
    {
        string path = Environment.GetEnvironmentVariable(variable) ?? Path.Combine(Root, "..", "shared", folder);
        return Directory.Exists(path) ? Path.GetFullPath(path) : null;
    }

    private static string FindRoot()
    {
        for (DirectoryInfo? folder = new(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
        {
            if (File.Exists(Path.Combine(folder.FullName, "OrleansStream.sln")))
                return folder.FullName;
        }
        throw new InvalidOperationException("no OrleansStream.sln above the test's folder");
    }
}
