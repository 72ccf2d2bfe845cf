using System.Text;
using OrleansStream.Broker.Configuration;

namespace OrleansStream.Hosting.Configuration;

/// <summary>What --help prints: the options, the settings that people set, and all that act.</summary>
public static class HelpText
{
    private static readonly string[] First =
    [
        "listeners", "advertised.listeners", "allow.insecure.listeners", "log.dirs", "storage.url", "storage.connection.string", "memory.budget.bytes",
        "num.partitions", "auto.create.topics.enable", "journal.linger.ms", "http.listener",
    ];

    public static string Make(ProgramDescription program)
    {
        var text = new StringBuilder();
        text.AppendLine(
            $"""
            {program.Name}: {program.Summary}

            Usage: {program.Name} [options]

              --config FILE           settings in the form of Kafka's server.properties; may be repeated
              --settings FILE         settings as JSON, below "OrleansStream"; without it appsettings.json in the working directory, if there is one
              --override KEY=VALUE    one setting by its name; may be repeated
              --NAME VALUE            the same, with dashes for the dots of the name
              --version, --help

            Environment variables OSTREAM_NAME (underscores for dots) set the same. The command line wins over the environment, that over --config, and
            that over the JSON file. Kafka's own names work; those that mean nothing here are accepted with a notice, unknown ones refused.

            Most used:
            """);
        foreach (string name in First)
            Describe(text, name);
        foreach (ProcessOption option in program.Options.Concat(ProcessOption.Common))
            Describe(text, option.Name, option.Documentation, option.Default ?? "none");
        text.AppendLine().AppendLine("All that have an effect, by name:");
        foreach (ConfigDefinition definition in BrokerConfigDefinitions.All.Values.OrderBy(static d => d.Name, StringComparer.Ordinal))
        {
            if (definition.Effect == SettingEffect.Acts && !definition.Internal)
                text.AppendLine($"  {definition.Name} ({Default(definition)})");
        }
        return text.ToString();
    }

    private static void Describe(StringBuilder text, string name)
    {
        if (BrokerConfigDefinitions.Find(name) is { } definition)
            Describe(text, name, definition.Documentation, Default(definition));
    }

    private static void Describe(StringBuilder text, string name, string documentation, string byDefault)
    {
        text.AppendLine($"  {SettingNames.ToOption(name)} ({SettingNames.ToEnvironment(name)}; {name})");
        text.AppendLine($"      {documentation} Default: {byDefault}.");
    }

    private static string Default(ConfigDefinition definition) => definition.Name == "log.dirs" ? "data" : definition.Default is null ? "none" : definition.Default.Length == 0 ? "empty" : definition.Default;
}
