using Microsoft.Extensions.Logging;

namespace OrleansStream.Simulation.Kit;

/// <summary>The last log lines of all processes, for the report of a failed run. Set <c>OSTREAM_SIM_LOG=1</c> to see all of them as they come.</summary>
public sealed class SimulatedLogs
{
    private const int Kept = 60;
    private static readonly bool s_print = Environment.GetEnvironmentVariable("OSTREAM_SIM_LOG") == "1";
    private readonly Queue<string> _tail = new();

    public IEnumerable<string> Tail => _tail;

    /// <summary>Told of every line.</summary>
    public Action<string>? OnLine { get; set; }

    public void Add(long nowTicks, string process, string line)
    {
        line = $"{TimeSpan.FromTicks(nowTicks)} {process}: {line}";
        if (s_print)
        {
            Console.WriteLine(line);
        }

        OnLine?.Invoke(line);
        _tail.Enqueue(line);
        if (_tail.Count > Kept)
        {
            _tail.Dequeue();
        }
    }
}

internal sealed class ProcessLogs(SimulatedProcess process) : ILoggerFactory, ILogger
{
    public ILogger CreateLogger(string categoryName) => this;
    public void AddProvider(ILoggerProvider provider) { }
    public void Dispose() { }
    public IDisposable? BeginScope<TState>(TState state) where TState : notnull => null;
    public bool IsEnabled(LogLevel logLevel) => logLevel >= LogLevel.Debug;

    public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter) =>
        process.World.Logs.Add(process.World.NowTicks, process.Name, $"{logLevel}: {formatter(state, exception)}{(exception is null ? "" : " " + exception)}");
}
