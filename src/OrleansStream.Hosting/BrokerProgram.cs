using Microsoft.Extensions.Logging;
using OrleansStream.Broker.Configuration;
using OrleansStream.Hosting.Configuration;
using OrleansStream.Hosting.Listening;

namespace OrleansStream.Hosting;

/// <summary>An executable from its command line to its exit code; what it serves with is the engine's.</summary>
public static class BrokerProgram
{
    private const int Failed = 1;
    private const int Misused = 2;

    /// <summary>Serves until a signal. 0: ended as asked; 1: could not start or go on, and said why; 2: the settings are wrong.</summary>
    public static async Task<int> RunAsync(string[] args, IEngineKind kind)
    {
        SocketThreads.ServeWhereReceived();
        ProgramDescription program = kind.Program;
        ProcessSettings settings;
        try
        {
            CommandLine line = CommandLine.Parse(args, program);
            if (line.Help || line.Version)
            {
                await Console.Out.WriteAsync(line.Help ? HelpText.Make(program) : $"{program.Name} {Banner.Version}{Environment.NewLine}");
                return 0;
            }
            settings = ProcessSettings.Gather(line, Environment.GetEnvironmentVariables(), program);
        }
        catch (Exception e) when (e is UsageException or SettingsException)
        {
            foreach (string sentence in e is SettingsException { Errors.Count: > 0 } several ? several.Errors : [e.Message])
                await Console.Error.WriteLineAsync($"{program.Name}: {sentence}");
            return Misused;
        }

        using ILoggerFactory logs = ConsoleLogs.Create(settings.LogLevel, settings.JsonLogs);
        ILogger log = logs.CreateLogger("OrleansStream." + program.Engine);
        foreach (string notice in settings.Notices)
            log.LogInformation("{Notice}", notice);
        using var process = new BrokerProcess(settings, kind, logs);
        try
        {
            return await process.RunAsync(Console.Out, Console.Error);
        }
        catch (Exception e) when (e is UsageException or IOException or UnauthorizedAccessException or InvalidDataException)
        {
            // A port or folder in use, a newer format, a corrupt journal, a store that cannot be reached: the sentence is the message.
            log.LogDebug(e, "The start failed");
            await Console.Error.WriteLineAsync($"{program.Name}: {e.Message}");
            return Failed;
        }
    }
}
