using System.Collections.Frozen;
using OrleansStream.Broker.Topics;

namespace OrleansStream.Broker.Configuration;

/// <summary>Reads the tables of configurations (*.configs), which are part of this assembly.</summary>
internal static class ConfigTable
{
    public static FrozenDictionary<string, ConfigDefinition> Read(params string[] resources)
    {
        Dictionary<string, ConfigDefinition> table = [];
        foreach (var resource in resources)
        {
            using var stream = typeof(ConfigTable).Assembly.GetManifestResourceStream(resource)
                ?? throw new InvalidOperationException($"{resource} is not part of the assembly");
            using var reader = new StreamReader(stream);
            while (reader.ReadLine() is { } line)
            {
                if (line.Length > 0 && line[0] != '#')
                {
                    var definition = resource is "broker.configs" or "own.configs" ? Broker(line) : Topic(line);
                    table.Add(definition.Name, definition);
                }
            }
        }
        return table.ToFrozenDictionary(StringComparer.Ordinal);
    }

    private static ConfigDefinition Topic(string line)
    {
        var columns = line.Split('|', StringSplitOptions.TrimEntries);
        return Common(columns, columns[6]) with { BrokerName = columns[5].Length > 0 ? columns[5] : null };
    }

    private static ConfigDefinition Broker(string line)
    {
        var columns = line.Split('|', StringSplitOptions.TrimEntries);
        var (effect, documentation) = columns[6].Split(": ", 2) is [var first, var rest] ? (first, rest) : throw new FormatException(line);
        return Common(columns, documentation) with
        {
            Update = columns[5] switch
            {
                "read-only" => UpdateMode.ReadOnly,
                "per-broker" => UpdateMode.PerBroker,
                "cluster-wide" => UpdateMode.ClusterWide,
                _ => throw new FormatException(line),
            },
            Effect = effect switch
            {
                "acts" => SettingEffect.Acts,
                "none" => SettingEffect.None,
                "later" => SettingEffect.Later,
                _ => throw new FormatException(line),
            },
        };
    }

    private static ConfigDefinition Common(string[] columns, string documentation)
    {
        var name = columns[0].Replace(" (internal)", "");
        var type = Enum.Parse<ConfigType>(columns[1], ignoreCase: true);
        return new ConfigDefinition(
            name, type, columns[2] is ['=', .. var value] ? value : null, ConfigRule.Read(type, columns[3]), columns[4], documentation)
        {
            Internal = name.Length != columns[0].Length,
            Required = columns[2] == "required",
        };
    }
}
