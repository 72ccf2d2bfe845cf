using System.Collections.Immutable;
using System.Globalization;
using OrleansStream.Broker.Topics;
using OrleansStream.Protocol;

namespace OrleansStream.Broker.Configuration;

/// <summary>Kafka's rules for changing settings of a broker while it runs (KIP-226).</summary>
internal static class BrokerConfigChanges
{
    /// <summary>Dynamic in Kafka; here the process would have to start anew, so a change is refused rather than kept without effect.</summary>
    private static readonly string[] FixedHere = ["listeners", "listener.security.protocol.map"];

    /// <summary>Names that Kafka takes only with a listener's prefix.</summary>
    private static bool OnlyPerListener(string name) =>
        name.StartsWith("ssl.keystore.", StringComparison.Ordinal) || name.StartsWith("ssl.truststore.", StringComparison.Ordinal) || name == "ssl.key.password";

    /// <summary>Throws <see cref="RefusedException"/> unless <paramref name="name"/> is "" or this broker's id.</summary>
    public static void CheckName(string name, int nodeId)
    {
        if (name.Length == 0)
            return;
        if (!int.TryParse(name, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var id))
            throw new RefusedException(ErrorCode.InvalidRequest, $"Broker id must be an integer, but it is: {name}");
        if (id != nodeId)
            throw new RefusedException(ErrorCode.InvalidRequest, $"Unexpected broker id, expected {nodeId} or empty string, but received {name}");
    }

    /// <summary>Checks which names may change and their values; answers the values in canonical form.</summary>
    public static ImmutableDictionary<string, string> Check(
        ImmutableDictionary<string, string> values, IReadOnlyList<ConfigChange> changes, bool clusterDefault)
    {
        void Refuse(Func<string, bool> bad, string sentence)
        {
            var names = changes.Select(c => c.Name).Where(bad).Order(StringComparer.Ordinal).ToList();
            if (names.Count > 0)
                throw new RefusedException(ErrorCode.InvalidRequest, $"{sentence}: [{string.Join(", ", names)}]");
        }
        foreach (var change in changes)
        {
            if (change.Operation is ConfigOperation.Append or ConfigOperation.Subtract && BrokerConfigDefinitions.Find(change.Name)?.Type != ConfigType.List)
            {
                throw new RefusedException(ErrorCode.InvalidConfig,
                    $"Config value {change.Operation.ToString().ToLowerInvariant()} is not allowed for config key: {change.Name}");
            }
        }
        if (clusterDefault)
        {
            Refuse(n => BrokerConfigDefinitions.UpdateModeOf(n) == UpdateMode.PerBroker && !OnlyPerListener(n),
                "Cannot update these configs at default cluster level, broker id must be specified");
        }
        Refuse(n => BrokerConfigDefinitions.UpdateModeOf(n) == UpdateMode.ReadOnly || FixedHere.Contains(n), "Cannot update these configs dynamically");
        Refuse(OnlyPerListener, "These security configs can be dynamically updated only per-listener using the listener prefix");
        foreach (var change in changes)
        {
            if (!values.TryGetValue(change.Name, out var text) || BrokerConfigDefinitions.Find(change.Name) is not { } definition)
                continue;
            try
            {
                values = values.SetItem(change.Name, definition.Parse(text).Text);
            }
            catch (ConfigException e)
            {
                throw new RefusedException(ErrorCode.InvalidRequest, e.Message);
            }
        }
        return values;
    }

    /// <summary>The settings of this broker, or what was set as the cluster's default, as DescribeConfigs shows them.</summary>
    public static IReadOnlyList<ConfigEntry> Describe(ConfigLayers layers, bool clusterDefault, IReadOnlyList<string>? names)
    {
        List<ConfigEntry> entries = [];
        IEnumerable<string> shown = clusterDefault ? layers.ClusterDefault.Keys : BrokerConfigDefinitions.All.Keys.Union(layers.ThisBroker.Keys).Union(layers.ClusterDefault.Keys);
        foreach (var name in shown.Order(StringComparer.Ordinal))
        {
            var definition = BrokerConfigDefinitions.Find(name);
            if (definition is { Internal: true } || (names is not null && !names.Contains(name)))
                continue;
            // The value of what nobody defines might be a password.
            var sensitive = definition?.Sensitive ?? true;
            var sources = layers.Sources(name).Where(s => !clusterDefault || s.Source == ConfigSource.DynamicDefaultBroker).ToList();
            if (sensitive)
                sources = [.. sources.Select(s => (s.Name, (string?)null, s.Source))];
            entries.Add(new ConfigEntry(
                name, sensitive ? null : clusterDefault ? layers.ClusterDefault[name] : layers.Text(name),
                definition is null or { Update: UpdateMode.ReadOnly }, sources.Count > 0 ? sources[0].Source : ConfigSource.Default,
                sensitive, definition?.Type ?? ConfigType.Unknown, definition?.Documentation, sources));
        }
        return entries;
    }
}
