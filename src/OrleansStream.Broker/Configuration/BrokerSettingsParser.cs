using System.Collections.Immutable;

namespace OrleansStream.Broker.Configuration;

/// <summary>What was read: the settings, and sentences about those that were accepted and do nothing.</summary>
public sealed record ParsedSettings(BrokerSettings Settings, IReadOnlyList<string> Notices);

/// <summary>Settings that the broker does not start with; one sentence for each that is wrong.</summary>
public sealed class SettingsException : Exception
{
    public SettingsException() { }
    public SettingsException(string message) : base(message) { }
    public SettingsException(string message, Exception inner) : base(message, inner) { }
    public SettingsException(IReadOnlyList<string> errors) : base(string.Join(Environment.NewLine, errors)) => Errors = errors;

    public IReadOnlyList<string> Errors { get; } = [];
}

/// <summary>Reads settings by name, from wherever the process has them: server.properties, environment, command line.</summary>
public static class BrokerSettingsParser
{
    /// <summary>
    /// A later pair replaces an earlier one of the same name. Unknown names and bad values are refused, all of them in one
    /// <see cref="SettingsException"/>; what Kafka knows and has no effect here is accepted with a notice.
    /// </summary>
    public static ParsedSettings Parse(IEnumerable<KeyValuePair<string, string>> pairs)
    {
        List<string> errors = [];
        List<string> notices = [];
        Dictionary<string, string> given = [];
        foreach (var (name, value) in pairs)
            given[name.Trim()] = value;
        var canonical = ImmutableDictionary.CreateBuilder<string, string>();
        foreach (var (name, value) in given.OrderBy(p => p.Key, StringComparer.Ordinal))
        {
            if (BrokerConfigDefinitions.Find(name) is not { } definition)
            {
                errors.Add($"unknown setting '{name}'");
                continue;
            }
            // An empty value in a properties file stands for null where the default is null.
            if (value.Trim().Length == 0 && definition.Default is null)
                continue;
            try
            {
                canonical[name] = definition.Parse(value).Text;
            }
            catch (ConfigException e)
            {
                errors.Add(e.Message);
                continue;
            }
            if (definition.Effect != SettingEffect.Acts)
                notices.Add($"{name} is accepted and has no effect{(definition.Effect == SettingEffect.Later ? " yet" : "")}: {definition.Documentation}");
        }
        if (errors.Count > 0)
            throw new SettingsException(errors);
        // Two names of one thing: both are shown as given.
        if (canonical.TryGetValue("broker.id", out var id) && !canonical.ContainsKey("node.id"))
            canonical["node.id"] = id;
        else if (canonical.TryGetValue("node.id", out id) && !canonical.ContainsKey("broker.id"))
            canonical["broker.id"] = id;
        try
        {
            return new ParsedSettings(BrokerSettings.From(ConfigLayers.Empty with { Static = canonical.ToImmutable() }), notices);
        }
        catch (ConfigException e)
        {
            throw new SettingsException([e.Message]);
        }
    }
}
