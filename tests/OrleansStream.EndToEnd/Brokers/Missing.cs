namespace OrleansStream.EndToEnd.Brokers;

/// <summary>What a test needs and this machine lacks: a loud skip; where CI is set, a failure unless ./test.sh said why it is not there.</summary>
internal static class Missing
{
    public static void Tool(string name, string detail) => Skip.If(true, Because(name, detail));

    /// <summary>Why a package of Debian's is not here; null: it is. For a test that goes on without it.</summary>
    public static string? Package(string name) => File.Exists($"/var/lib/dpkg/info/{name}.list") ? null : Because(name, "a package of Debian's");

    /// <summary>Skips where Apache Kafka and its clients are absent (KAFKA_PEERS).</summary>
    public static void Peers() => Skip.If(Repository.Peers is null, "KAFKA_PEERS is absent: no Apache Kafka to compare with");

    private static string Because(string name, string detail)
    {
        var reason = Repository.AbsentBecause(name);
        if (reason is null && Environment.GetEnvironmentVariable("CI") is { Length: > 0 })
            throw new InvalidOperationException($"{name} should be installed here, and is not: {detail}");
        return reason ?? $"{name} is not installed ({detail}); ./test.sh installs it";
    }
}
