using System.Diagnostics;
using System.Net.Sockets;
using OrleansStream.EndToEnd.Wire;

namespace OrleansStream.EndToEnd.Brokers;

/// <summary>
/// A broker as a user has it: a process, a port, a folder. Ours; or, with OSTREAM_TEST_BROKER=kafka, the Apache Kafka of KAFKA_PEERS, which
/// proves that a test asks for what a real broker does; or, with OSTREAM_TEST_BOOTSTRAP=127.0.0.1:PORT, one that runs already.
/// </summary>
internal sealed class BrokerProcess : IAsyncDisposable
{
    private static readonly string? s_running = Environment.GetEnvironmentVariable("OSTREAM_TEST_BOOTSTRAP");
    private ChildProcess? _process;
    private long _launched;

    private BrokerProcess(bool kafka, string folder, string? storage, IReadOnlyDictionary<string, string> settings)
    {
        RunsKafka = kafka;
        Folder = folder;
        Storage = storage;
        Settings = settings;
        Port = s_running is null ? Ports.Free() : int.Parse(s_running.Split(':')[1], System.Globalization.CultureInfo.InvariantCulture);
    }

    public static bool IsKafka => Environment.GetEnvironmentVariable("OSTREAM_TEST_BROKER") == "kafka" || s_running is not null;

    /// <summary>This one is Apache Kafka, not ours.</summary>
    public bool RunsKafka { get; }

    public string Folder { get; }
    public string? Storage { get; }
    public IReadOnlyDictionary<string, string> Settings { get; }
    public int Port { get; }
    public string Bootstrap => $"127.0.0.1:{Port}";
    public ChildProcess Process => _process ?? throw new InvalidOperationException("the broker does not run");

    /// <summary>From the start of the process to its first answer, of the last start.</summary>
    public TimeSpan StartTime { get; private set; }

    /// <param name="storage">A connection string of Azure Blob Storage with a container, or null for the folder.</param>
    /// <param name="settings">Kafka's names of broker settings.</param>
    public static async Task<BrokerProcess> StartAsync(
        string folder, string? storage = null, IReadOnlyDictionary<string, string>? settings = null)
    {
        var broker = new BrokerProcess(IsKafka, folder, storage, settings ?? new Dictionary<string, string>());
        if (s_running is null) await broker.StartAgainAsync();
        return broker;
    }

    /// <summary>Apache Kafka, whatever the rest of the run is about.</summary>
    public static async Task<BrokerProcess> StartKafkaAsync(string folder, IReadOnlyDictionary<string, string> settings)
    {
        var broker = new BrokerProcess(true, folder, null, settings);
        await broker.StartAgainAsync();
        return broker;
    }

    /// <summary>The same broker on the same data: what a supervisor does after a crash.</summary>
    public async Task StartAgainAsync()
    {
        Launch();
        await AnswersAsync();
    }

    /// <summary>Starts the process without waiting for an answer.</summary>
    public void Launch()
    {
        _launched = Stopwatch.GetTimestamp();
        _process = ChildProcess.Start(Command());
    }

    /// <summary>SIGKILL: no code of the broker runs after it.</summary>
    public async Task KillAsync()
    {
        if (RunsKafka)
        {
            // The process is a script, whose child would live on; it ends with that.
            ChildProcess.Signal(int.Parse(await File.ReadAllTextAsync(Path.Combine(Folder, "pid"))), ChildProcess.SigKill);
            if (!await Process.EndsWithinAsync(TimeSpan.FromSeconds(20))) throw new TimeoutException("the script goes on without its broker:\n" + Process.Printed);
        }
        else Process.Signal(ChildProcess.SigKill);
        await Process.DisposeAsync();
        _process = null;
    }

    /// <summary>SIGTERM, and the exit code.</summary>
    public async Task<int> StopAsync()
    {
        var process = Process;
        process.Signal(ChildProcess.SigTerm);
        if (!await process.EndsWithinAsync(TimeSpan.FromSeconds(60))) throw new TimeoutException("still running 60 s after SIGTERM:\n" + process.Printed);
        var code = process.ExitCode;
        await process.DisposeAsync();
        _process = null;
        return code;
    }

    public Task<KafkaConnection> ConnectAsync() => KafkaConnection.OpenAsync(Port);

    public async ValueTask DisposeAsync()
    {
        if (_process is not null) await _process.DisposeAsync();
        _process = null;
    }

    /// <summary>Waits until ApiVersions is answered.</summary>
    public async Task AnswersAsync()
    {
        while (true)
        {
            if (Process.HasEnded) throw new InvalidOperationException($"the broker ended with {Process.ExitCode}:\n{Process.Printed}");
            if (Stopwatch.GetElapsedTime(_launched) > TimeSpan.FromSeconds(120)) throw new TimeoutException("no answer within 120 s:\n" + Process.Printed);
            try
            {
                await using var connection = await ConnectAsync();
                await connection.ApiVersionsAsync();
                StartTime = Stopwatch.GetElapsedTime(_launched);
                return;
            }
            catch (Exception e) when (e is SocketException or IOException)
            {
                await Task.Delay(10);
            }
        }
    }

    private List<string> Command()
    {
        if (RunsKafka)
            return [Path.Combine(Repository.Peers ?? throw new InvalidOperationException("KAFKA_PEERS is absent"), "kafka", "kafka"),
                "start", Folder, Port.ToString(), .. Settings.Select(s => $"{s.Key}={s.Value}")];
        return ["dotnet", OurProgram, .. OurOptions(Folder, Port, Storage), .. Settings.SelectMany(s => new[] { "--override", $"{s.Key}={s.Value}" })];
    }

    /// <summary>Standalone; with ENGINE=silo, which must have been built, one silo alone.</summary>
    public static string OurProgram => RunsSilo
        ? Path.Combine(Repository.Root, "src", "OrleansStream.Silo", "bin", Repository.Configuration, "net10.0", "ostream-silo.dll")
        : Path.Combine(Repository.Root, "src", "OrleansStream.Standalone", "bin", Repository.Configuration, "net10.0", "ostream-standalone.dll");

    private static bool RunsSilo => Environment.GetEnvironmentVariable("ENGINE") == "silo";

    private static string[] OurOptions(string folder, int port, string? storage) =>
    [
        "--listeners", $"PLAINTEXT://127.0.0.1:{port}", "--data", folder, "--http", "off",
        .. RunsSilo ? new[] { "--orleans-silo-port", "0", "--orleans-gateway-port", "none" } : [],
        .. storage is null ? Array.Empty<string>() : ["--storage-connection-string", storage],
    ];
}
