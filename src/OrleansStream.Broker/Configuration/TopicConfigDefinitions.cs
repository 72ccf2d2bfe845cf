using System.Collections.Frozen;
using System.Globalization;
using OrleansStream.Broker.Topics;

namespace OrleansStream.Broker.Configuration;

/// <summary>Every topic config of Kafka; checks what a topic sets and makes the typed <see cref="TopicConfig"/> of it.</summary>
public static class TopicConfigDefinitions
{
    public static FrozenDictionary<string, ConfigDefinition> All { get; } = ConfigTable.Read("topic.configs");

    /// <summary>
    /// Checks the values that a topic sets and answers them in canonical form. Throws <see cref="ConfigException"/> (INVALID_CONFIG) with Kafka's sentence:
    /// nulls first, then unknown names, then values, then what contradicts each other.
    /// </summary>
    public static IReadOnlyDictionary<string, string> Check(IEnumerable<KeyValuePair<string, string?>> configs, ConfigLayers broker)
    {
        var sorted = configs.OrderBy(c => c.Key, StringComparer.Ordinal).ToList();
        if (sorted.Where(c => c.Value is null).Select(c => c.Key).ToList() is { Count: > 0 } nulls)
            throw new ConfigException($"Null value not supported for topic configs: {string.Join(",", nulls)}");
        foreach (var (name, _) in sorted)
        {
            if (!All.ContainsKey(name))
                throw new ConfigException($"Unknown topic config name: {name}");
        }
        Dictionary<string, string> canonical = [];
        foreach (var (name, text) in sorted)
            canonical[name] = All[name].Parse(text!).Text;
        var min = long.Parse(Effective("min.compaction.lag.ms", canonical, broker)!, CultureInfo.InvariantCulture);
        var max = long.Parse(Effective("max.compaction.lag.ms", canonical, broker)!, CultureInfo.InvariantCulture);
        if (min > max)
            throw new ConfigException($"conflict topic config setting min.compaction.lag.ms ({min}) > max.compaction.lag.ms ({max})");
        if (canonical.GetValueOrDefault("remote.storage.enable") == "true")
            throw new ConfigException("Tiered Storage functionality is disabled in the broker. Topic cannot be configured with remote log storage.");
        return canonical;
    }

    /// <summary>The typed configuration of a topic that sets <paramref name="overrides"/>, which were checked before.</summary>
    public static TopicConfig Build(IReadOnlyDictionary<string, string> overrides, ConfigLayers broker)
    {
        ConfigValue Get(string name) => All[name].Parse(Effective(name, overrides, broker)!);
        var policies = Get("cleanup.policy").Items;
        return new TopicConfig
        {
            CleanupDelete = policies.Contains("delete"),
            CleanupCompact = policies.Contains("compact"),
            CompressionType = Get("compression.type").Text,
            CompressionGzipLevel = (int)Get("compression.gzip.level").Integer,
            CompressionLz4Level = (int)Get("compression.lz4.level").Integer,
            CompressionZstdLevel = (int)Get("compression.zstd.level").Integer,
            MaxMessageBytes = (int)Get("max.message.bytes").Integer,
            TimestampType = Enum.Parse<TimestampType>(Get("message.timestamp.type").Text),
            TimestampBeforeMaxMs = Get("message.timestamp.before.max.ms").Integer,
            TimestampAfterMaxMs = Get("message.timestamp.after.max.ms").Integer,
            MinInSyncReplicas = (int)Get("min.insync.replicas").Integer,
            SegmentBytes = Effective("internal.segment.bytes", overrides, broker) is { } small && int.Parse(small, CultureInfo.InvariantCulture) is > 0 and var bytes
                ? bytes : (int)Get("segment.bytes").Integer,
            SegmentMs = Get("segment.ms").Integer,
            IndexIntervalBytes = (int)Get("index.interval.bytes").Integer,
            RetentionMs = Get("retention.ms").Integer,
            RetentionBytes = Get("retention.bytes").Integer,
            Overrides = overrides,
        };
    }

    /// <summary>The value of a topic config: the topic's own, else the broker's, else Kafka's default.</summary>
    public static string? Effective(string name, IReadOnlyDictionary<string, string> overrides, ConfigLayers broker)
    {
        if (overrides.TryGetValue(name, out var own))
            return own;
        var definition = All[name];
        if (definition.BrokerName is not { } brokerName)
            return definition.Default;
        foreach (var synonym in BrokerConfigDefinitions.Synonyms(brokerName))
        {
            if (broker.Text(synonym) is { } text)
                return InMilliseconds(synonym, text);
        }
        return definition.Default;
    }

    /// <summary>A topic's values as DescribeConfigs shows them.</summary>
    public static IReadOnlyList<ConfigEntry> Describe(IReadOnlyDictionary<string, string> overrides, ConfigLayers broker, IReadOnlyList<string>? names)
    {
        List<ConfigEntry> entries = [];
        foreach (var definition in All.Values.OrderBy(d => d.Name, StringComparer.Ordinal))
        {
            var name = definition.Name;
            // An internal setting is no secret to a topic that has it.
            if ((definition.Internal && !overrides.ContainsKey(name)) || (names is not null && !names.Contains(name)))
                continue;
            List<(string Name, string? Value, ConfigSource Source)> sources = [];
            if (overrides.TryGetValue(name, out var own))
                sources.Add((name, own, ConfigSource.DynamicTopic));
            if (definition.BrokerName is { } brokerName)
                sources.AddRange(broker.Sources(brokerName));
            entries.Add(new ConfigEntry(
                name, Effective(name, overrides, broker), ReadOnly: false, sources.Count > 0 ? sources[0].Source : ConfigSource.Default, definition.Sensitive,
                definition.Type, definition.Documentation, sources));
        }
        return entries;
    }

    private static string InMilliseconds(string name, string text)
    {
        var unit = name.EndsWith(".hours", StringComparison.Ordinal) ? 3_600_000L : name.EndsWith(".minutes", StringComparison.Ordinal) ? 60_000L : 1;
        if (unit == 1)
            return text;
        var value = long.Parse(text, CultureInfo.InvariantCulture);
        // A negative age means that there is no limit, in every unit.
        return (value < 0 ? -1 : value * unit).ToString(CultureInfo.InvariantCulture);
    }
}
