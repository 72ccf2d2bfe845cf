using System.Reflection;

namespace OrleansStream.EndToEnd.Brokers;

/// <summary>Where things are, and what this run is to do.</summary>
internal static class Repository
{
    public static readonly string Root = FindRoot();

    /// <summary>What ./test.sh installs: npm packages in node/, a Python environment in python/.</summary>
    public static readonly string Cache = Environment.GetEnvironmentVariable("OSTREAM_CLIENTS") ?? Path.Combine(Root, ".cache");

    /// <summary>Apache Kafka and its own clients (KAFKA_PEERS); null where they are absent.</summary>
    public static readonly string? Peers = FindPeers();

    /// <summary>True for the long runs of ./test.sh --full.</summary>
    public static readonly bool Full = Environment.GetEnvironmentVariable("OSTREAM_FULL") is not null;

    /// <summary>The configuration that this assembly was built in; the broker is taken from the same.</summary>
    public static string Configuration =>
        typeof(Repository).Assembly.GetCustomAttribute<AssemblyConfigurationAttribute>()?.Configuration ?? "Debug";

    /// <summary>Why a client is not here, as ./test.sh found it; null when it said nothing about it.</summary>
    public static string? AbsentBecause(string name) =>
        (Environment.GetEnvironmentVariable("OSTREAM_ABSENT") ?? "").Split('\n').FirstOrDefault(line => line.StartsWith(name + ":", StringComparison.Ordinal));

    private static string FindRoot()
    {
        for (var at = new DirectoryInfo(AppContext.BaseDirectory); at is not null; at = at.Parent)
            if (File.Exists(Path.Combine(at.FullName, "OrleansStream.sln"))) return at.FullName;
        throw new DirectoryNotFoundException("no OrleansStream.sln above " + AppContext.BaseDirectory);
    }

    private static string? FindPeers()
    {
        var path = Environment.GetEnvironmentVariable("KAFKA_PEERS") ?? Path.Combine(Root, "..", "shared", "peers");
        return Directory.Exists(path) ? Path.GetFullPath(path) : null;
    }
}
