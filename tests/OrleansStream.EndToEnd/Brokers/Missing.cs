namespace OrleansStream.EndToEnd.Brokers;

/// <summary>What a test needs and this machine lacks: a loud skip; where CI is set, a failure unless ./test.sh said why it is not there.</summary>
internal static class Missing
{
    public static void Tool(string name, string detail)
    {
        var reason = Repository.AbsentBecause(name);
        if (reason is null && Environment.GetEnvironmentVariable("CI") is { Length: > 0 })
            throw new InvalidOperationException($"{name} should be installed here, and is not: {detail}");
        Skip.If(true, reason ?? $"{name} is not installed ({detail}); ./test.sh installs it");
    }

    /// <summary>Skips where Apache Kafka and its clients are absent (KAFKA_PEERS).</summary>
    public static void Peers() => Skip.If(Repository.Peers is null, "KAFKA_PEERS is absent: no Apache Kafka to compare with");
}
