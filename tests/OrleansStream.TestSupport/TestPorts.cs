using System.Collections.Concurrent;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using OrleansStream.Storage.Ports;

namespace OrleansStream.TestSupport;

/// <summary>Ports for a unit test: a clock that the test moves, randomness from a seed, background work on the thread pool.</summary>
public sealed class TestPorts
{
    public TestPorts(int seed = 1, ILoggerFactory? logs = null)
    {
        Random = new SeededRandom(seed);
        Runtime = new RuntimePorts(Time, Random, Scheduler, logs ?? NullLoggerFactory.Instance);
    }

    public ManualTime Time { get; } = new();
    public SeededRandom Random { get; }
    public PoolScheduler Scheduler { get; } = new();
    public RuntimePorts Runtime { get; }
}

/// <summary>The same bytes for the same seed. Thread-safe, though threads that race make the order theirs.</summary>
public sealed class SeededRandom(int seed) : IRandomSource
{
    private readonly Lock _lock = new();
    private readonly Random _random = new(seed);

    public void Fill(Span<byte> bytes)
    {
        lock (_lock)
            _random.NextBytes(bytes);
    }
}

/// <summary>
/// Runs bodies on the thread pool and remembers what escaped from them: a test ends with <see cref="DrainAsync"/>, which waits for all that was
/// started and rethrows the first failure.
/// </summary>
public sealed class PoolScheduler : IScheduler
{
    private readonly ConcurrentQueue<Task> _started = new();

    public void Start(string name, Func<Task> body) => _started.Enqueue(Task.Run(body));

    public void StartDedicated(string name, Func<Task> body) => _started.Enqueue(Task.Run(body));

    public void StartYielding(string name, Action body) => _started.Enqueue(Task.Run(body));

    /// <summary>Waits end before EndWait returns: for tests that commit by hand and look at once at what is durable.</summary>
    public bool EndsWaitsAtOnce { get; set; }

    public void EndWait(int lane, IClientWait wait)
    {
        if (EndsWaitsAtOnce)
            wait.End();
        else
            ThreadPool.UnsafeQueueUserWorkItem(static waiting => waiting.End(), wait, preferLocal: false);
    }

    /// <summary>Waits for every body started so far, and for those that they start meanwhile.</summary>
    public async Task DrainAsync()
    {
        while (_started.TryDequeue(out var task))
            await task;
    }
}
