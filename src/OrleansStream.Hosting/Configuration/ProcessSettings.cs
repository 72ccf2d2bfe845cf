using System.Collections;
using System.Text.Json;
using Microsoft.Extensions.Logging;
using OrleansStream.Broker.Configuration;

namespace OrleansStream.Hosting.Configuration;

/// <summary>All settings of the process, and sentences on those that were accepted and do nothing.</summary>
public sealed record ProcessSettings(BrokerSettings Broker, IReadOnlyList<string> Notices, LogLevel LogLevel, bool JsonLogs)
{
    /// <summary>Settings that only this executable has, by name; those that were not given have their default.</summary>
    public required IReadOnlyDictionary<string, string?> Own { get; init; }

    private const string DefaultFile = "appsettings.json";

    /// <summary>
    /// Gathers them, the later over the earlier: appsettings.json, server.properties, environment, command line. Throws <see cref="UsageException"/>,
    /// <see cref="SettingsException"/>.
    /// </summary>
    public static ProcessSettings Gather(CommandLine line, IDictionary environment, ProgramDescription program)
    {
        var pairs = new List<KeyValuePair<string, string>>();
        if (line.SettingsFile is not null || File.Exists(DefaultFile))
            pairs.AddRange(ReadJson(line.SettingsFile ?? DefaultFile));
        foreach (string file in line.PropertiesFiles)
            pairs.AddRange(PropertiesFile.Parse(ReadText(file)));
        foreach (DictionaryEntry variable in environment)
        {
            if (variable.Key is string name && name.StartsWith(SettingNames.EnvironmentPrefix, StringComparison.Ordinal))
                pairs.Add(new(SettingNames.FromEnvironment(name), variable.Value as string ?? ""));
        }
        pairs.AddRange(line.Settings);
        return From(pairs, program);
    }

    private static ProcessSettings From(List<KeyValuePair<string, string>> pairs, ProgramDescription program)
    {
        Dictionary<string, string?> own = ProcessOption.Common.Concat(program.Options).ToDictionary(static o => o.Name, static o => o.Default, StringComparer.Ordinal);
        var brokers = new List<KeyValuePair<string, string>>();
        foreach ((string name, string value) in pairs)
        {
            if (own.ContainsKey(name))
                own[name] = value;
            else
                brokers.Add(new(name, name == "http.listener" ? HttpListener(value) : value));
        }
        if (!Enum.TryParse(own[ProcessOption.LoggingLevel.Name], ignoreCase: true, out LogLevel level) || !Enum.IsDefined(level))
            throw new UsageException($"logging.level is one of {string.Join(", ", Enum.GetNames<LogLevel>())}, not '{own[ProcessOption.LoggingLevel.Name]}'");
        string? format = own[ProcessOption.LoggingFormat.Name];
        if (format is not ("text" or "json"))
            throw new UsageException($"logging.format is text or json, not '{format}'");
        brokers.InsertRange(0, program.Implied(own));
        ParsedSettings parsed = BrokerSettingsParser.Parse(brokers);
        return new ProcessSettings(parsed.Settings, parsed.Notices, level, format == "json") { Own = own };
    }

    private static string HttpListener(string value) => value is "none" or "off" or "0" ? "" : value;

    private static List<KeyValuePair<string, string>> ReadJson(string file)
    {
        try
        {
            return SettingsJson.Parse(File.ReadAllBytes(file));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or JsonException)
        {
            throw new UsageException($"the settings in {file} cannot be read: {e.Message}", e);
        }
    }

    private static string ReadText(string file)
    {
        try
        {
            return File.ReadAllText(file);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new UsageException($"the settings in {file} cannot be read: {e.Message}", e);
        }
    }
}
