using OrleansStream.Broker.Configuration;

namespace OrleansStream.Broker.Tests.Configuration;

internal static class OwnNames
{
    /// <summary>Settings that Kafka does not have.</summary>
    public static IReadOnlySet<string> All { get; } = ConfigTable.Read("own.configs").Keys.ToHashSet();
}
