using System.Collections.Frozen;

namespace OrleansStream.Broker.Configuration;

/// <summary>
/// Every broker setting of Kafka by its own name, and the few that are only ours. The defaults of two differ from Kafka's: log.dir (a folder beside
/// the process instead of /tmp) and listeners (loopback only, since nothing secures a listener yet).
/// </summary>
public static class BrokerConfigDefinitions
{
    private const string ListenerPrefix = "listener.name.";

    private static readonly string[] PluginPrefixes = ["rlmm.config.", "rsm.config."];

    /// <summary>Limits of replication traffic, which Kafka takes only while it runs (DynamicConfig.Broker).</summary>
    private static readonly FrozenSet<string> DynamicOnly = FrozenSet.ToFrozenSet(
        ["leader.replication.throttled.rate", "follower.replication.throttled.rate", "replica.alter.log.dirs.io.max.bytes.per.second"]);

    public static FrozenDictionary<string, ConfigDefinition> All { get; } = ConfigTable.Read("broker.configs", "own.configs");

    /// <summary>Names of one value in several units, the finest first: the first that is set counts.</summary>
    private static readonly string[][] Units =
    [
        ["log.retention.ms", "log.retention.minutes", "log.retention.hours"],
        ["log.roll.ms", "log.roll.hours"],
        ["log.roll.jitter.ms", "log.roll.jitter.hours"],
        ["log.flush.interval.ms", "log.flush.scheduler.interval.ms"],
    ];

    /// <summary>The setting of that name; listener.name.&lt;listener&gt;.x and a plugin's own names are found by what they stand for.</summary>
    public static ConfigDefinition? Find(string name)
    {
        if (All.TryGetValue(name, out var definition))
            return definition;
        if (name.StartsWith(ListenerPrefix, StringComparison.Ordinal))
        {
            // A SASL setting has its mechanism between the listener and the name: try the longest name first.
            for (var dot = name.IndexOf('.', ListenerPrefix.Length); dot > 0; dot = name.IndexOf('.', dot + 1))
            {
                if (All.TryGetValue(name[(dot + 1)..], out definition))
                    return definition with { Name = name, Default = null, Effect = SettingEffect.None, Documentation = "Settings of single listeners have no meaning yet." };
            }
        }
        if (PluginPrefixes.Any(p => name.StartsWith(p, StringComparison.Ordinal)))
            return All["remote.log.storage.manager.class.name"] with { Name = name };
        return null;
    }

    /// <summary>Whether the resource BROKER takes this name while the broker runs. Unknown names are taken, as Kafka does: a plugin may want them.</summary>
    public static UpdateMode UpdateModeOf(string name) =>
        DynamicOnly.Contains(name) ? UpdateMode.ClusterWide : Find(name)?.Update ?? UpdateMode.ClusterWide;

    /// <summary>All names of the value behind <paramref name="name"/>, in order of precedence.</summary>
    public static IReadOnlyList<string> Synonyms(string name)
    {
        foreach (var group in Units)
        {
            if (group.Contains(name))
                return group;
        }
        return [name];
    }
}
