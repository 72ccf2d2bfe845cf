using System.Collections.Frozen;
using System.Collections.Immutable;
using System.Globalization;
using OrleansStream.Broker.Topics;
using OrleansStream.Protocol;

namespace OrleansStream.Broker.Configuration;

/// <summary>Configurations of groups (GROUP) and of metrics subscriptions (CLIENT_METRICS): kept and shown; they act with the features that use them.</summary>
internal static class NamedResources
{
    private static readonly FrozenDictionary<string, ConfigDefinition> Groups = ConfigTable.Read("group.configs");
    private static readonly FrozenDictionary<string, ConfigDefinition> Metrics = ConfigTable.Read("metrics.configs");

    private static readonly FrozenSet<string> ClientSelectors = FrozenSet.ToFrozenSet(
        ["client_instance_id", "client_id", "client_software_name", "client_software_version", "client_source_address", "client_source_port"]);

    private static readonly string[] KindsWithSessions = ["consumer", "share", "streams"];

    public static ConfigDefinition? Find(ConfigResourceType type, string name) => Table(type).GetValueOrDefault(name);

    private static FrozenDictionary<string, ConfigDefinition> Table(ConfigResourceType type) => type == ConfigResourceType.Group ? Groups : Metrics;

    public static string? Effective(ConfigResourceType type, string name, ConfigLayers broker) =>
        Find(type, name) is { } definition ? (definition.BrokerName is { } brokerName ? broker.Text(brokerName) : null) ?? definition.Default : null;

    /// <summary>Checks all values of a resource; throws <see cref="RefusedException"/>.</summary>
    public static ImmutableDictionary<string, string> Check(ConfigResourceType type, ImmutableDictionary<string, string> values, ConfigLayers broker)
    {
        foreach (var (name, text) in values.OrderBy(v => v.Key, StringComparer.Ordinal))
        {
            if (Find(type, name) is not { } definition)
            {
                throw type == ConfigResourceType.Group
                    ? new RefusedException(ErrorCode.InvalidConfig, $"Unknown group config name: {name}")
                    : new RefusedException(ErrorCode.InvalidRequest, $"Unknown client metrics configuration: {name}");
            }
            ConfigValue value;
            try
            {
                value = definition.Parse(text);
            }
            catch (ConfigException e)
            {
                throw new RefusedException(ErrorCode.InvalidConfig, e.Message);
            }
            if (type == ConfigResourceType.Group)
                CheckBounds(name, value, broker);
            else
                CheckSubscription(name, value);
            values = values.SetItem(name, value.Text);
        }
        if (type == ConfigResourceType.Group)
            CheckTimeouts(values, broker);
        return values;
    }

    /// <summary>A member must have the chance of a heartbeat before its session ends, whichever of the two is the group's own.</summary>
    private static void CheckTimeouts(ImmutableDictionary<string, string> values, ConfigLayers broker)
    {
        foreach (var kind in KindsWithSessions)
        {
            var (session, heartbeat) = ($"{kind}.session.timeout.ms", $"{kind}.heartbeat.interval.ms");
            if (Milliseconds(session) <= Milliseconds(heartbeat))
                throw new RefusedException(ErrorCode.InvalidConfig, $"{session} must be greater than {heartbeat}");
        }

        long Milliseconds(string name) =>
            Groups[name].Parse(values.GetValueOrDefault(name) ?? Effective(ConfigResourceType.Group, name, broker)!).Integer;
    }

    /// <summary>A group's value lies between the broker's group.&lt;kind&gt;.min.x and group.&lt;kind&gt;.max.x, where there are such.</summary>
    private static void CheckBounds(string name, ConfigValue value, ConfigLayers broker)
    {
        if (name.Split('.', 2) is not [var kind, var rest] || value.Type != ConfigType.Int)
            return;
        // Kafka bounds streams.num.standby.replicas by group.streams.max.standby.replicas.
        var bounded = rest.StartsWith("num.", StringComparison.Ordinal) ? rest[4..] : rest;
        var (min, max) = ($"group.{kind}.min.{bounded}", $"group.{kind}.max.{bounded}");
        if (BrokerConfigDefinitions.All.ContainsKey(min) && value.Integer < broker.Int(min))
            throw new RefusedException(ErrorCode.InvalidConfig, $"{name} must be greater than or equal to {min}");
        if (BrokerConfigDefinitions.All.ContainsKey(max) && value.Integer > broker.Int(max))
            throw new RefusedException(ErrorCode.InvalidConfig, $"{name} must be less than or equal to {max}");
    }

    private static void CheckSubscription(string name, ConfigValue value)
    {
        if (name == "interval.ms" && value.Integer is < 100 or > 3_600_000)
        {
            throw new RefusedException(ErrorCode.InvalidRequest, string.Create(CultureInfo.InvariantCulture,
                $"Invalid value {value.Integer} for interval.ms, interval must be between 100 and 3600000 (1 hour)"));
        }
        if (name != "match")
            return;
        foreach (var pattern in value.Items)
        {
            if (pattern.Split('=', 2) is not [var selector, { Length: > 0 }] || !ClientSelectors.Contains(selector.Trim()))
                throw new RefusedException(ErrorCode.InvalidConfig, $"Illegal client matching pattern: {pattern}");
        }
    }

    public static IReadOnlyList<ConfigEntry> Describe(
        ConfigResourceType type, ImmutableDictionary<string, string> values, ConfigLayers broker, IReadOnlyList<string>? names)
    {
        var source = type == ConfigResourceType.Group ? ConfigSource.Group : ConfigSource.ClientMetrics;
        List<ConfigEntry> entries = [];
        foreach (var definition in Table(type).Values.OrderBy(d => d.Name, StringComparer.Ordinal))
        {
            var name = definition.Name;
            if (names is not null && !names.Contains(name))
                continue;
            List<(string Name, string? Value, ConfigSource Source)> sources = [];
            if (values.TryGetValue(name, out var own))
                sources.Add((name, own, source));
            if (definition.BrokerName is { } brokerName)
                sources.AddRange(broker.Sources(brokerName));
            else if (type == ConfigResourceType.Group)
                sources.Add((name, definition.Default, ConfigSource.Default));
            entries.Add(new ConfigEntry(
                name, own ?? Effective(type, name, broker), ReadOnly: false, sources.Count > 0 ? sources[0].Source : ConfigSource.Default, Sensitive: false,
                definition.Type, definition.Documentation, sources));
        }
        return entries;
    }
}
