using System.Collections.Immutable;
using OrleansStream.Broker.Topics;

namespace OrleansStream.Broker.Configuration;

/// <summary>
/// A broker's configuration as it stands: what was given at start, the cluster's defaults and this broker's own values set while it ran, and Kafka's
/// defaults below. Immutable. Values are kept in their canonical form.
/// </summary>
public sealed record ConfigLayers(
    ImmutableDictionary<string, string> Static, ImmutableDictionary<string, string> ClusterDefault, ImmutableDictionary<string, string> ThisBroker)
{
    public static ConfigLayers Empty { get; } =
        new(ImmutableDictionary<string, string>.Empty, ImmutableDictionary<string, string>.Empty, ImmutableDictionary<string, string>.Empty);

    /// <summary>The value of a setting, null where none was given and it has no default.</summary>
    public string? Text(string name) =>
        ThisBroker.TryGetValue(name, out var text) || ClusterDefault.TryGetValue(name, out text) || Static.TryGetValue(name, out text)
            ? text : BrokerConfigDefinitions.Find(name)?.Default;

    public ConfigValue? Value(string name) => Text(name) is { } text ? BrokerConfigDefinitions.All[name].Parse(text) : null;
    public int Int(string name) => checked((int)Value(name)!.Value.Integer);
    public long Long(string name) => Value(name)!.Value.Integer;
    public bool Bool(string name) => Value(name)!.Value.Boolean;
    public string String(string name) => Text(name) ?? "";
    public bool IsGiven(string name) => ThisBroker.ContainsKey(name) || ClusterDefault.ContainsKey(name) || Static.ContainsKey(name);

    /// <summary>
    /// Where the value of a setting comes from, the effective one first, as DescribeConfigs tells it: every layer that has one of its names,
    /// from the first entry on that is called <paramref name="name"/> itself.
    /// </summary>
    public IReadOnlyList<(string Name, string? Value, ConfigSource Source)> Sources(string name)
    {
        List<(string, string?, ConfigSource)> sources = [];
        var names = BrokerConfigDefinitions.Synonyms(name);
        void Add(ImmutableDictionary<string, string> layer, ConfigSource source)
        {
            foreach (var synonym in names)
            {
                if (layer.TryGetValue(synonym, out var text))
                    sources.Add((synonym, text, source));
            }
        }
        Add(ThisBroker, ConfigSource.DynamicBroker);
        Add(ClusterDefault, ConfigSource.DynamicDefaultBroker);
        Add(Static, ConfigSource.StaticBroker);
        foreach (var synonym in names)
        {
            if (BrokerConfigDefinitions.Find(synonym)?.Default is { } text)
                sources.Add((synonym, text, ConfigSource.Default));
        }
        var own = sources.FindIndex(s => s.Item1 == name);
        return own < 0 ? [] : sources[own..];
    }
}
