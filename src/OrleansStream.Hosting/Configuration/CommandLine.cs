namespace OrleansStream.Hosting.Configuration;

/// <summary>What stands on the command line. Settings are in the order given; a later one wins.</summary>
public sealed record CommandLine
{
    public bool Help { get; init; }
    public bool Version { get; init; }

    /// <summary>The file with settings as JSON; null for appsettings.json of the working directory, if there is one.</summary>
    public string? SettingsFile { get; init; }

    /// <summary>Files in the form of Kafka's server.properties.</summary>
    public IReadOnlyList<string> PropertiesFiles { get; init; } = [];

    public IReadOnlyList<KeyValuePair<string, string>> Settings { get; init; } = [];

    /// <summary>Throws <see cref="UsageException"/>.</summary>
    public static CommandLine Parse(IReadOnlyList<string> args, ProgramDescription program)
    {
        bool help = false;
        bool version = false;
        string? settingsFile = null;
        var propertiesFiles = new List<string>();
        var settings = new List<KeyValuePair<string, string>>();
        for (int i = 0; i < args.Count; i++)
        {
            if (!args[i].StartsWith("--", StringComparison.Ordinal) && args[i] != "-h")
                throw new UsageException($"'{args[i]}' is no option; --help lists them all");
            (string option, string? value) = Split(args[i]);
            switch (option)
            {
                case "-h" or "--help":
                    help = true;
                    break;
                case "--version":
                    version = true;
                    break;
                case "--settings":
                    settingsFile = value ?? Next(args, ref i);
                    break;
                case "--config":
                    propertiesFiles.Add(value ?? Next(args, ref i));
                    break;
                case "--override":
                    settings.Add(Pair(value ?? Next(args, ref i)));
                    break;
                default:
                    string name = SettingNames.FromOption(option[2..]);
                    settings.Add(new(name, value ?? Switch(name, args, i, program) ?? Next(args, ref i)));
                    break;
            }
        }
        return new CommandLine { Help = help, Version = version, SettingsFile = settingsFile, PropertiesFiles = propertiesFiles, Settings = settings };
    }

    private static (string Option, string? Value) Split(string arg)
    {
        // --override key=value has its own equals sign.
        int equals = arg.StartsWith("--override", StringComparison.Ordinal) ? arg.IndexOf("--override=", StringComparison.Ordinal) + "--override".Length : arg.IndexOf('=');
        return equals < 0 || equals >= arg.Length || arg[equals] != '=' ? (arg, null) : (arg[..equals], arg[(equals + 1)..]);
    }

    private static string Next(IReadOnlyList<string> args, ref int i) =>
        i + 1 < args.Count ? args[++i] : throw new UsageException($"{args[i]} needs a value");

    /// <summary>A setting that is true or false may stand alone, for true.</summary>
    private static string? Switch(string name, IReadOnlyList<string> args, int i, ProgramDescription program)
    {
        bool alone = i + 1 >= args.Count || args[i + 1].StartsWith("--", StringComparison.Ordinal);
        return alone && SettingNames.IsSwitch(name, program) ? "true" : null;
    }

    private static KeyValuePair<string, string> Pair(string text)
    {
        int equals = text.IndexOf('=');
        return equals > 0 ? new(text[..equals].Trim(), text[(equals + 1)..].Trim()) : throw new UsageException($"--override takes key=value, not '{text}'");
    }
}

/// <summary>A command line, file or variable that cannot be understood; the message is for the user.</summary>
public sealed class UsageException : Exception
{
    public UsageException() { }
    public UsageException(string message) : base(message) { }
    public UsageException(string message, Exception inner) : base(message, inner) { }
}
