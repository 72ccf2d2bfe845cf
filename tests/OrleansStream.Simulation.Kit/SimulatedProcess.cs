using OrleansStream.Storage.Ports;

namespace OrleansStream.Simulation.Kit;

/// <summary>
/// One process of the simulation: its own synchronization context, clock and randomness. A crash drops every continuation and timer of the process,
/// between any two awaits; what it had asked of disk or store may still happen, wholly, partly or not at all. Code of a process must run
/// inside it: through <see cref="Start"/> or <see cref="CallAsync{T}"/>.
/// </summary>
public sealed class SimulatedProcess : IScheduler
{
    private readonly LinkedList<Action> _onCrash = new();
    private readonly List<(SendOrPostCallback, object?)> _held = [];
    private bool _paused;

    public SimulatedProcess(SimulationScheduler world, string name, TimeSpan clockSkew = default)
    {
        World = world;
        Name = name;
        Context = new ProcessContext(this);
        Time = new SimulatedTime(this, clockSkew);
        Ports = new RuntimePorts(Time, new SeededRandom(world.Random.Next()), this, new ProcessLogs(this));
    }

    public SimulationScheduler World { get; }
    public string Name { get; }
    public bool Alive { get; private set; } = true;
    public SynchronizationContext Context { get; }
    public TimeProvider Time { get; }
    public RuntimePorts Ports { get; }

    /// <summary>Registers what the machine does at the moment of the crash, for instance to tear the writes in flight; answers how to take it back.</summary>
    public Action OnCrash(Action action)
    {
        var node = _onCrash.AddLast(action);
        return () => node.List?.Remove(node);
    }

    public void Crash()
    {
        if (Alive)
        {
            Alive = false;
            World.Logs.Add(World.NowTicks, Name, "CRASH");
            while (_onCrash.First is { } first)
            {
                _onCrash.RemoveFirst();
                first.Value();
            }
        }
    }

    /// <summary>Nothing of the process runs until <see cref="Resume"/>, as in a long collection or a suspended machine; what it asked for goes on.</summary>
    public void Pause() => _paused = true;

    public void Resume()
    {
        _paused = false;
        foreach (var (callback, state) in _held)
        {
            World.Post(this, callback, state);
        }

        _held.Clear();
    }

    internal bool Hold(SendOrPostCallback callback, object? state)
    {
        if (_paused)
        {
            _held.Add((callback, state));
        }

        return _paused;
    }

    public void Start(string name, Func<Task> body) => World.Post(this, _ => Observe(name, body), null);

    public void StartDedicated(string name, Func<Task> body) => Start(name, body);

    public void StartYielding(string name, Action body) => Start(name, () =>
    {
        body();
        return Task.CompletedTask;
    });

    public void EndWait(int lane, IClientWait wait) => World.Post(this, static waiting => ((IClientWait)waiting!).End(), wait);

    /// <summary>Runs a call inside this process for a caller outside; the task fails with <see cref="ProcessCrashedException"/> if the process dies first.</summary>
    public Task<T> CallAsync<T>(Func<ValueTask<T>> call)
    {
        var result = new TaskCompletionSource<T>();
        if (!Alive)
        {
            result.SetException(new ProcessCrashedException(Name));
            return result.Task;
        }

        var forget = OnCrash(() => result.TrySetException(new ProcessCrashedException(Name)));
        Start("call", async () =>
        {
            try
            {
                var value = await call();
                forget();
                World.Post(null, _ => result.TrySetResult(value), null);
            }
            catch (Exception e)
            {
                forget();
                World.Post(null, _ => result.TrySetException(e), null);
            }
        });
        return result.Task;
    }

    public Task CallAsync(Func<ValueTask> call) => CallAsync(async () =>
    {
        await call();
        return true;
    });

    /// <summary>Waits in simulated time.</summary>
    public Task Delay(TimeSpan delay) => Task.Delay(delay, Time);

    private async void Observe(string name, Func<Task> body)
    {
        try
        {
            await body();
        }
        catch (Exception e)
        {
            World.Fail($"background work '{name}' of process '{Name}' failed", e);
        }
    }

    private sealed class ProcessContext(SimulatedProcess process) : SynchronizationContext
    {
        public override void Post(SendOrPostCallback d, object? state) => process.World.Post(process, d, state);
        public override void Send(SendOrPostCallback d, object? state) => throw new NotSupportedException("a blocking Send would stop the simulation");
        public override SynchronizationContext CreateCopy() => this;
    }
}

/// <summary>The process died before it answered: the caller does not know whether what it asked for happened.</summary>
public sealed class ProcessCrashedException : Exception
{
    public ProcessCrashedException() { }
    public ProcessCrashedException(string process) : base($"process '{process}' crashed") { }
    public ProcessCrashedException(string message, Exception inner) : base(message, inner) { }
}
