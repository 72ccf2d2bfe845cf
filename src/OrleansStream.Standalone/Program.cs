// The executable of the one-process engine.
using System.Collections;
using Microsoft.Extensions.Logging;
using OrleansStream.Broker.Configuration;
using OrleansStream.Standalone.Configuration;
using OrleansStream.Standalone.Hosting;

const int Failed = 1;
const int Misused = 2;

ProcessSettings settings;
try
{
    CommandLine line = CommandLine.Parse(args);
    if (line.Help || line.Version)
    {
        Console.Out.Write(line.Help ? HelpText.Make() : $"ostream-standalone {Banner.Version}{Environment.NewLine}");
        return 0;
    }
    settings = ProcessSettings.Gather(line, Environment.GetEnvironmentVariables());
}
catch (Exception e) when (e is UsageException or SettingsException)
{
    foreach (string sentence in e is SettingsException { Errors.Count: > 0 } several ? several.Errors : [e.Message])
        await Console.Error.WriteLineAsync($"ostream-standalone: {sentence}");
    return Misused;
}

using ILoggerFactory logs = ConsoleLogs.Create(settings.LogLevel, settings.JsonLogs);
ILogger log = logs.CreateLogger("OrleansStream.Standalone");
foreach (string notice in settings.Notices)
    log.LogInformation("{Notice}", notice);
using var process = new StandaloneProcess(settings, logs);
try
{
    return await process.RunAsync(Console.Out, Console.Error);
}
catch (OperationCanceledException) when (process.IsEnding)
{
    return 0;
}
catch (Exception e) when (e is UsageException or IOException or UnauthorizedAccessException or InvalidDataException)
{
    // A port or folder in use, a newer format, a corrupt journal, a store that cannot be reached: the sentence is the message.
    log.LogDebug(e, "The start failed");
    await Console.Error.WriteLineAsync($"ostream-standalone: {e.Message}");
    return Failed;
}
