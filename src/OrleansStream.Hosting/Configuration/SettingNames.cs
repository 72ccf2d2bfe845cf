using OrleansStream.Broker.Configuration;
using OrleansStream.Broker.Topics;

namespace OrleansStream.Hosting.Configuration;

/// <summary>
/// One name for a setting everywhere: <c>memory.budget.bytes</c> in files and after --override, <c>--memory-budget-bytes</c> on the command line,
/// <c>OSTREAM_MEMORY_BUDGET_BYTES</c> in the environment. Three are shorter here than in Kafka's words.
/// </summary>
public static class SettingNames
{
    /// <summary>What begins the names of environment variables that are ours.</summary>
    public const string EnvironmentPrefix = "OSTREAM_";

    private static readonly Dictionary<string, string> Short = new(StringComparer.Ordinal)
    {
        ["data"] = "log.dirs",
        ["http"] = "http.listener",
        ["memory.budget"] = "memory.budget.bytes",
    };

    public static string Canonical(string name) => Short.GetValueOrDefault(name, name);

    public static string FromOption(string option) => Canonical(option.Replace('-', '.'));

    public static string FromEnvironment(string variable) =>
        Canonical(variable[EnvironmentPrefix.Length..].ToLowerInvariant().Replace('_', '.'));

    public static string ToOption(string name) => "--" + Shortest(name).Replace('.', '-');

    public static string ToEnvironment(string name) => EnvironmentPrefix + Shortest(name).ToUpperInvariant().Replace('.', '_');

    public static bool IsSwitch(string name, ProgramDescription program) =>
        BrokerConfigDefinitions.Find(name)?.Type == ConfigType.Boolean || program.Options.Any(o => o.Name == name && o.IsSwitch);

    private static string Shortest(string name) => Short.FirstOrDefault(s => s.Value == name).Key ?? name;
}
