using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace OrleansStream.Hosting;

/// <summary>Logs to the standard error stream, as text for people or as JSON for machines.</summary>
internal static class ConsoleLogs
{
    public static ILoggerFactory Create(LogLevel level, bool json) => LoggerFactory.Create(logging =>
    {
        logging.SetMinimumLevel(level);
        // Kestrel tells at Information what clients do to their connections, Orleans each step of its start.
        if (level < LogLevel.Warning)
            logging.AddFilter("Microsoft", LogLevel.Warning).AddFilter("Orleans.", LogLevel.Warning);
        // It also recommends a collector at every start, and takes the time before its first look at itself for a stall.
        if (level == LogLevel.Warning)
            logging.AddFilter("Orleans.Runtime.Silo", LogLevel.Error).AddFilter("Orleans.Runtime.Watchdog", LogLevel.Error);
        if (json)
            logging.AddJsonConsole(static options => options.UseUtcTimestamp = true);
        else
            logging.AddSimpleConsole(static options =>
            {
                options.SingleLine = true;
                options.UseUtcTimestamp = true;
                options.TimestampFormat = "yyyy-MM-ddTHH:mm:ss.fffZ ";
            });
        logging.Services.Configure<Microsoft.Extensions.Logging.Console.ConsoleLoggerOptions>(
            static options => options.LogToStandardErrorThreshold = LogLevel.Trace);
    });
}
