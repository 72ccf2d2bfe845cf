using System.Diagnostics;
using System.Text;

namespace OrleansStream.Simulation.Kit;

/// <summary>
/// Runs any number of simulated processes on one thread, from one seed. Every continuation, timer and I/O completion is an item; the seed picks which
/// runnable item is next. Time is simulated: it creeps while there is work and jumps to the next timer when there is none.
/// <para>
/// Not covered: code between two awaits is never interrupted, so races inside a critical section are for other tests.
/// </para>
/// <para>
/// Some of .NET's own steps go through the thread pool whatever the context is (WhenAny, WhenAll or WaitAsync directly over a TaskCompletionSource that runs
/// continuations asynchronously, CancelAsync). With <see cref="AwaitsThreadPool"/> the scheduler waits for them before it goes on, so nothing ever runs beside
/// anything else; two of them in one step may come back in either order, though. Without it, such a step fails the run.
/// </para>
/// </summary>
public sealed class SimulationScheduler
{
    private readonly record struct Item(SimulatedProcess? Owner, SendOrPostCallback Callback, object? State);

    private readonly List<Item> _runnable = [];
    private readonly PriorityQueue<(SimulatedProcess? Owner, Action Action), (long Due, long Sequence)> _timers = new();
    private readonly List<(long Step, Action Action)> _atStep = [];
    private readonly double _disorder;
    private int _thread = Environment.CurrentManagedThreadId;
    private long _sequence;
    private string? _failure;
    private Exception? _failureCause;
    private readonly Lock _inboxGate = new();
    private readonly List<Item> _inbox = [];
    private volatile string? _escaped;
    private int _idleWorkers = int.MaxValue;

    public SimulationScheduler(int seed)
    {
        Seed = seed;
        Random = new Random(seed);
        _disorder = Random.Next(4) switch { 0 => 0, 1 => 0.1, _ => 1 };
        Script = new SimulatedProcess(this, "script");
    }

    public int Seed { get; }

    /// <summary>The one source of every choice: scheduling, latencies, faults.</summary>
    public Random Random { get; }

    /// <summary>The process that runs the scenario itself; it never crashes.</summary>
    public SimulatedProcess Script { get; }

    /// <summary>Simulated time since the start, in ticks of 100 ns.</summary>
    public long NowTicks { get; private set; }

    public long Steps { get; private set; }

    /// <summary>A digest of all choices so far: equal for two runs of one seed, or the code under test is not deterministic.</summary>
    public ulong Digest { get; private set; } = 14695981039346656037;

    /// <summary>More steps than this count as a livelock.</summary>
    public long MaxSteps { get; init; } = 5_000_000;

    /// <summary>For code that takes steps through the thread pool. Nothing else may use the pool meanwhile: such tests run alone.</summary>
    public bool AwaitsThreadPool { get; init; }

    public SimulatedLogs Logs { get; } = new();

    public void Post(SimulatedProcess? owner, SendOrPostCallback callback, object? state)
    {
        if (Environment.CurrentManagedThreadId != _thread)
        {
            _escaped ??= new StackTrace(true).ToString();
            lock (_inboxGate)
            {
                _inbox.Add(new Item(owner, callback, state));
            }

            return;
        }

        if (owner is not { Alive: false })
        {
            _runnable.Add(new Item(owner, callback, state));
        }
    }

    /// <summary>Makes <paramref name="action"/> runnable after a simulated delay; it is dropped if <paramref name="owner"/> crashes before.</summary>
    public void After(TimeSpan delay, Action action, SimulatedProcess? owner = null) =>
        _timers.Enqueue((owner, action), (NowTicks + Math.Max(0, delay.Ticks), _sequence++));

    /// <summary>Runs <paramref name="action"/> a number of steps from now, hence between any two awaits.</summary>
    public void AfterSteps(long steps, Action action) => _atStep.Add((Steps + steps, action));

    public TimeSpan Between(double minMilliseconds, double maxMilliseconds) =>
        TimeSpan.FromMilliseconds(minMilliseconds + Random.NextDouble() * (maxMilliseconds - minMilliseconds));

    public bool Chance(double probability) => probability > 0 && Random.NextDouble() < probability;

    /// <summary>Ends the run as failed; the first failure counts.</summary>
    public void Fail(string what, Exception? cause = null)
    {
        _failure ??= what;
        _failureCause ??= cause;
    }

    /// <summary>Runs the scenario to its end; throws <see cref="SimulationFailedException"/> on any failure, deadlock or livelock.</summary>
    public void Run(Func<Task> script)
    {
        var outer = SynchronizationContext.Current;
        _thread = Environment.CurrentManagedThreadId;
        var done = false;
        Script.Start("script", async () =>
        {
            await script();
            done = true;
        });
        try
        {
            while (!done && _failure is null)
            {
                Step();
            }
        }
        finally
        {
            SynchronizationContext.SetSynchronizationContext(outer);
        }

        if (_failure is not null)
        {
            throw new SimulationFailedException(Report(), _failureCause);
        }
    }

    private void Step()
    {
        if (AwaitsThreadPool)
        {
            AwaitThreadPool();
        }
        else if (_escaped is { } trace)
        {
            Fail("a continuation left the simulation's thread:\n" + trace);
            return;
        }

        if (++Steps > MaxSteps)
        {
            Fail($"livelock: still busy after {MaxSteps} steps");
            return;
        }

        for (var i = 0; i < _atStep.Count; i++)
        {
            if (_atStep[i].Step <= Steps)
            {
                var action = _atStep[i].Action;
                _atStep.RemoveAt(i--);
                InContext(null, action);
            }
        }

        NowTicks += Random.Next(1, 20);
        while (_timers.TryPeek(out var timer, out var when) && (when.Due <= NowTicks || _runnable.Count == 0))
        {
            _timers.Dequeue();
            NowTicks = Math.Max(NowTicks, when.Due);
            Post(timer.Owner, static action => ((Action)action!)(), timer.Action);
        }

        if (_runnable.Count == 0)
        {
            // A continuation on a foreign thread may be on its way here: say that instead of "deadlock".
            if (!AwaitsThreadPool)
            {
                SpinWait.SpinUntil(() => _escaped is not null, 200);
            }

            if (_atStep.Count == 0 && (AwaitsThreadPool || _escaped is null))
            {
                Fail("deadlock: nothing is runnable and no timer is set");
            }

            return;
        }

        var index = Random.NextDouble() < _disorder ? Random.Next(_runnable.Count) : 0;
        var item = _runnable[index];
        _runnable.RemoveAt(index);
        Digest = (Digest ^ (ulong)(index * 31 + _runnable.Count) ^ ((ulong)NowTicks << 16)) * 1099511628211;
        if (item.Owner is { Alive: false } || item.Owner?.Hold(item.Callback, item.State) == true)
        {
            return;
        }

        SynchronizationContext.SetSynchronizationContext(item.Owner?.Context);
        try
        {
            item.Callback(item.State);
        }
        catch (Exception e)
        {
            Fail($"an exception escaped in process '{item.Owner?.Name}'", e);
        }
        finally
        {
            SynchronizationContext.SetSynchronizationContext(null);
        }
    }

    /// <summary>Waits until what the last step gave to the thread pool has come back.</summary>
    private void AwaitThreadPool()
    {
        long started = 0;
        while (true)
        {
            ThreadPool.GetMaxThreads(out var max, out _);
            ThreadPool.GetAvailableThreads(out var available, out _);
            _idleWorkers = Math.Min(_idleWorkers, max - available);
            if (ThreadPool.PendingWorkItemCount == 0 && max - available <= _idleWorkers)
            {
                break;
            }

            started = started == 0 ? Stopwatch.GetTimestamp() : started;
            if (Stopwatch.GetElapsedTime(started).TotalSeconds > 5)
            {
                Fail("the thread pool stays busy: something runs outside the simulation");
                return;
            }

            Thread.Yield();
        }

        lock (_inboxGate)
        {
            foreach (var item in _inbox.OrderBy(i => (i.State as Delegate)?.Target?.GetType().FullName, StringComparer.Ordinal))
            {
                Post(item.Owner, item.Callback, item.State);
            }

            _inbox.Clear();
        }
    }

    private static void InContext(SynchronizationContext? context, Action action)
    {
        var before = SynchronizationContext.Current;
        SynchronizationContext.SetSynchronizationContext(context);
        try
        {
            action();
        }
        finally
        {
            SynchronizationContext.SetSynchronizationContext(before);
        }
    }

    private string Report()
    {
        var text = new StringBuilder();
        text.AppendLine($"seed {Seed}: {_failure}");
        text.AppendLine($"at step {Steps}, simulated time {TimeSpan.FromTicks(NowTicks)}");
        if (_failureCause is not null)
        {
            text.AppendLine(_failureCause.ToString());
        }

        text.AppendLine($"replay: OSTREAM_SIM_SEED={Seed} dotnet test tests/OrleansStream.Simulation");
        text.AppendLine("last log lines:");
        foreach (var line in Logs.Tail)
        {
            text.AppendLine("  " + line);
        }

        return text.ToString();
    }
}

/// <summary>A run that ended badly; the message holds the seed, the reason and how to replay it.</summary>
public sealed class SimulationFailedException : Exception
{
    public SimulationFailedException() { }
    public SimulationFailedException(string message) : base(message) { }
    public SimulationFailedException(string message, Exception? inner) : base(message, inner) { }
}
