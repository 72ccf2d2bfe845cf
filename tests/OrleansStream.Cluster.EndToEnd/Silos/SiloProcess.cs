using System.Diagnostics;
using System.Globalization;
using System.Net.Sockets;
using OrleansStream.EndToEnd.Brokers;
using OrleansStream.EndToEnd.Wire;

namespace OrleansStream.Cluster.EndToEnd.Silos;

/// <summary>How a process of a silo ended that nobody had asked to.</summary>
internal sealed record EndedAlone(int ExitCode, string Printed)
{
    /// <summary>What it said at last to whoever started it.</summary>
    public string Sentence => Printed.Split('\n').LastOrDefault(static line => line.StartsWith("ostream-silo: ", StringComparison.Ordinal), "nothing");
}

/// <summary>A broker of a cluster with its supervisor: a process that ends by itself is started again, as Container Apps would.</summary>
internal sealed class SiloProcess(int nodeId, IReadOnlyList<string> options, string? program = null) : IAsyncDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(120);

    /// <summary>How long a supervisor waits before it starts what has ended by itself.</summary>
    private static readonly TimeSpan RestartDelay = TimeSpan.FromMilliseconds(500);

    private readonly Lock _lock = new();
    private readonly List<EndedAlone> _ended = [];
    private ChildProcess? _process;
    private Task _supervising = Task.CompletedTask;
    private bool _wanted;
    private int _siloPort;

    public int NodeId => nodeId;

    /// <summary>Where Kafka clients find it.</summary>
    public int Port { get; private set; }

    /// <summary>Where Orleans clients find it.</summary>
    public int GatewayPort { get; private set; }

    /// <summary>It is to run: nobody stopped or killed it.</summary>
    public bool IsWanted { get { lock (_lock) return _wanted; } }

    /// <summary>The processes that ended by themselves, in their order.</summary>
    public IReadOnlyList<EndedAlone> Ended { get { lock (_lock) return [.. _ended]; } }

    /// <summary>The end of what the last process printed.</summary>
    public string Printed { get; private set; } = "";

    /// <summary>False: a process that ends by itself stays ended.</summary>
    public bool Restarts { get; set; } = true;

    public static string Program => Path.Combine(Repository.Root, "src", "OrleansStream.Silo", "bin", Repository.Configuration, "net10.0", "ostream-silo.dll");

    /// <summary>The next process is another silo at another address, as one on another machine would be; Kafka clients still find it, as by its name.</summary>
    public void ChangeSilo() => (GatewayPort, _siloPort) = (Ports.Free(), Ports.Free());

    public void Launch()
    {
        if (Port == 0)
        {
            Port = Ports.Free();
            ChangeSilo();
        }
        lock (_lock)
        {
            _wanted = true;
            _process = ChildProcess.Start(
            [
                "dotnet", program ?? Program, .. options, "--override", $"node.id={nodeId.ToString(CultureInfo.InvariantCulture)}",
                "--override", $"listeners=PLAINTEXT://127.0.0.1:{Port}", "--override", "http.listener=none",
                "--override", $"orleans.silo.port={_siloPort}", "--override", $"orleans.gateway.port={GatewayPort}",
            ]);
            _supervising = SuperviseAsync(_process);
        }
    }

    /// <summary>Completes when the broker answers.</summary>
    public async Task AnswersAsync()
    {
        long since = Stopwatch.GetTimestamp();
        while (true)
        {
            if (Stopwatch.GetElapsedTime(since) > Patience) throw new TimeoutException($"broker {nodeId} does not answer:\n{PrintedNow()}");
            try
            {
                await using KafkaConnection connection = await KafkaConnection.OpenAsync(Port);
                connection.Patience = TimeSpan.FromSeconds(5);
                await connection.ApiVersionsAsync();
                return;
            }
            catch (Exception e) when (e is SocketException or IOException or TimeoutException)
            {
                await Task.Delay(20);
            }
        }
    }

    /// <summary>SIGKILL; it stays away until it is launched again.</summary>
    public void Kill() => Unwanted(ChildProcess.SigKill);

    /// <summary>SIGTERM, and the exit code.</summary>
    public async Task<int> StopAsync()
    {
        ChildProcess process = Unwanted(ChildProcess.SigTerm);
        if (!await process.EndsWithinAsync(Patience)) throw new TimeoutException($"broker {nodeId} still runs {Patience.TotalSeconds} s after SIGTERM:\n{process.Printed}");
        return process.ExitCode;
    }

    public void Pause() => Current.Signal(ChildProcess.SigStop);

    public void Resume() => Current.Signal(ChildProcess.SigCont);

    public string PrintedNow()
    {
        lock (_lock) return _process?.Printed ?? Printed;
    }

    /// <summary>Completes when the process that runs now, or has ended already after <paramref name="before"/> others, has ended by itself.</summary>
    public async Task<EndedAlone> EndsAloneAsync(int before)
    {
        long since = Stopwatch.GetTimestamp();
        while (Ended.Count <= before)
        {
            if (Stopwatch.GetElapsedTime(since) > Patience) throw new TimeoutException($"broker {nodeId} did not end by itself:\n{PrintedNow()}");
            await Task.Delay(20);
        }
        return Ended[before];
    }

    public async ValueTask DisposeAsync()
    {
        ChildProcess? process;
        lock (_lock) (_wanted, process) = (false, _process);
        process?.Signal(ChildProcess.SigKill);
        await _supervising;
        if (process is not null) await process.DisposeAsync();
    }

    private ChildProcess Current
    {
        get { lock (_lock) return _process ?? throw new InvalidOperationException($"broker {nodeId} does not run"); }
    }

    private ChildProcess Unwanted(int signal)
    {
        ChildProcess process = Current;
        lock (_lock) _wanted = false;
        process.Signal(signal);
        return process;
    }

    private async Task SuperviseAsync(ChildProcess process)
    {
        await process.EndsWithinAsync(Timeout.InfiniteTimeSpan);
        lock (_lock)
        {
            // Killed, and perhaps started again already, elsewhere.
            if (_process != process) return;
            Printed = process.Printed;
            if (!_wanted) return;
            _ended.Add(new EndedAlone(process.ExitCode, process.Printed));
            if (!Restarts) return;
        }
        await Task.Delay(RestartDelay);
        lock (_lock)
        {
            // Meanwhile it may have been stopped or killed, and launched by the test.
            if (_wanted && _process == process) Launch();
        }
    }
}
