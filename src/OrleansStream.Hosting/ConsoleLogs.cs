using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace OrleansStream.Hosting;

/// <summary>Logs to the standard error stream, as text for people or as JSON for machines.</summary>
internal static class ConsoleLogs
{
    public static ILoggerFactory Create(LogLevel level, bool json) => LoggerFactory.Create(logging =>
    {
        logging.SetMinimumLevel(level);
        // Kestrel tells at Information what clients do to their connections.
        if (level < LogLevel.Warning)
            logging.AddFilter("Microsoft", LogLevel.Warning);
        // Orleans tells at Information each step of its start, and warns by the page of a neighbour that was killed: what that means for this broker,
        // its own lines say. Who looks for more, asks for Debug.
        if (level is LogLevel.Information or LogLevel.Warning)
            logging.AddFilter("Orleans.", LogLevel.Error);
        else if (level < LogLevel.Information)
            logging.AddFilter("Orleans.", LogLevel.Warning);
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
