using System.Collections.Immutable;
using System.Globalization;
using OrleansStream.Broker.Configuration;

namespace OrleansStream.Broker.Groups.Consumer;

/// <summary>Which way a group may change its protocol while it has members (group.consumer.migration.policy).</summary>
internal enum MigrationPolicy
{
    Disabled,
    Upgrade,
    Downgrade,
    Bidirectional,
}

/// <summary>What groups of the consumer protocol take from the broker's settings (names in the comments); times in milliseconds.</summary>
internal sealed record ConsumerSettings
{
    /// <summary>group.consumer.session.timeout.ms, with .min and .max for what a group sets itself</summary>
    public (int Value, int Min, int Max) SessionTimeoutMs { get; init; } = (45_000, 45_000, 60_000);

    /// <summary>group.consumer.heartbeat.interval.ms</summary>
    public (int Value, int Min, int Max) HeartbeatIntervalMs { get; init; } = (5_000, 5_000, 15_000);

    /// <summary>group.consumer.assignment.interval.ms: the shortest time between two target assignments, so that a fleet that starts needs few (KIP-1263).</summary>
    public (int Value, int Min, int Max) AssignmentIntervalMs { get; init; } = (1_000, 0, 15_000);

    /// <summary>group.consumer.max.size</summary>
    public int MaxSize { get; init; } = int.MaxValue;

    /// <summary>group.consumer.assignors: the first is the default.</summary>
    public IReadOnlyList<string> Assignors { get; init; } = ["uniform", "range"];

    /// <summary>Whether group.coordinator.rebalance.protocols names the consumer protocol.</summary>
    public bool Enabled { get; init; } = true;

    /// <summary>group.consumer.migration.policy</summary>
    public MigrationPolicy Migration { get; init; } = MigrationPolicy.Bidirectional;

    /// <summary>group.consumer.regex.refresh.interval.ms</summary>
    public int RegexRefreshIntervalMs { get; init; } = 600_000;

    public bool MayUpgrade => Migration is MigrationPolicy.Upgrade or MigrationPolicy.Bidirectional;
    public bool MayDowngrade => Migration is MigrationPolicy.Downgrade or MigrationPolicy.Bidirectional;

    public static ConsumerSettings From(ConfigLayers layers)
    {
        return new ConsumerSettings
        {
            SessionTimeoutMs = Bounded("session.timeout.ms"),
            HeartbeatIntervalMs = Bounded("heartbeat.interval.ms"),
            AssignmentIntervalMs = Bounded("assignment.interval.ms"),
            MaxSize = layers.Int("group.consumer.max.size"),
            Assignors = AssignorsOf(layers.Value("group.consumer.assignors")!.Value.Items),
            Enabled = layers.Value("group.coordinator.rebalance.protocols")!.Value.Items.Contains("consumer"),
            Migration = Enum.Parse<MigrationPolicy>(layers.String("group.consumer.migration.policy"), ignoreCase: true),
            RegexRefreshIntervalMs = layers.Int("group.consumer.regex.refresh.interval.ms"),
        };

        // Kafka takes the names of its own classes as well.
        static IReadOnlyList<string> AssignorsOf(IReadOnlyList<string> names)
        {
            var known = names.Select(n => n.EndsWith("RangeAssignor", StringComparison.Ordinal) ? "range" : n.EndsWith("UniformAssignor", StringComparison.Ordinal) ? "uniform" : n)
                .Where(n => n is "range" or "uniform").Distinct(StringComparer.Ordinal).ToList();
            return known.Count > 0 ? known : ["uniform"];
        }

        (int, int, int) Bounded(string name) => (layers.Int($"group.consumer.{name}"), layers.Int($"group.consumer.min.{name}"), layers.Int($"group.consumer.max.{name}"));
    }
}

/// <summary>The settings of one group: its own (the configurations of type GROUP), within the broker's bounds, or the broker's.</summary>
internal sealed class GroupConfigs(Func<ConsumerSettings> broker, Func<string, ImmutableDictionary<string, string>> own)
{
    public int SessionTimeoutMs(string group) => Of(group, "consumer.session.timeout.ms", broker().SessionTimeoutMs);
    public int HeartbeatIntervalMs(string group) => Of(group, "consumer.heartbeat.interval.ms", broker().HeartbeatIntervalMs);
    public int AssignmentIntervalMs(string group) => Of(group, "consumer.assignment.interval.ms", broker().AssignmentIntervalMs);

    private int Of(string group, string name, (int Value, int Min, int Max) setting) =>
        own(group).TryGetValue(name, out var text) && int.TryParse(text, CultureInfo.InvariantCulture, out var value)
            ? Math.Clamp(value, setting.Min, setting.Max) : setting.Value;
}
