namespace OrleansStream.Hosting.Configuration;

/// <summary>A setting of the process, which the broker does not know; null as <paramref name="Default"/>: there is none.</summary>
public sealed record ProcessOption(string Name, string? Default, string Documentation)
{
    /// <summary>Whether it is true or false, and may stand alone on the command line for true.</summary>
    public bool IsSwitch { get; init; }

    public static readonly ProcessOption LoggingLevel =
        new("logging.level", "Warning", "Trace, Debug, Information, Warning, Error, Critical or None.");

    public static readonly ProcessOption LoggingFormat = new("logging.format", "text", "text or json.");

    /// <summary>Those that every executable has.</summary>
    public static readonly IReadOnlyList<ProcessOption> Common = [LoggingLevel, LoggingFormat];
}
