using System.Net;
using System.Runtime.InteropServices;
using Microsoft.Extensions.Logging;
using OrleansStream.Broker.Configuration;
using OrleansStream.Broker.Engine;
using OrleansStream.Broker.Topics;
using OrleansStream.Platform.Memory;
using OrleansStream.Platform.Runtime;
using OrleansStream.Hosting.Configuration;
using OrleansStream.Hosting.Data;
using OrleansStream.Hosting.Http;
using OrleansStream.Hosting.Listening;
using OrleansStream.Hosting.Metrics;
using OrleansStream.Storage.Ports;

namespace OrleansStream.Hosting;

/// <summary>The life of the process: bind, open the data, serve, and at a signal leave, drain, seal.</summary>
public sealed class BrokerProcess(ProcessSettings settings, IEngineKind kind, ILoggerFactory logs) : IDisposable
{
    // A stop that takes longer leaves the rest in the journal, to be replayed.
    private static readonly TimeSpan LeaveAtMost = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan DrainAtMost = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan SealAtMost = TimeSpan.FromSeconds(60);

    private readonly long _startedAt = TimeProvider.System.GetTimestamp();
    private readonly TaskCompletionSource<string?> _ending = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly Readiness _readiness = new();
    private readonly MetricsCollector _metrics = new();
    private readonly ProcessMetrics _processMetrics = new();
    private readonly List<PosixSignalRegistration> _signals = [];

    private BrokerSettings Broker => settings.Broker;

    /// <summary>Serves until a signal or an end that nobody asked for. The exit code.</summary>
    public async Task<int> RunAsync(TextWriter output, TextWriter errors)
    {
        try
        {
            return await ServeAsync(output, errors);
        }
        catch (OperationCanceledException) when (_ending.Task.IsCompleted)
        {
            return await EndedWithAsync(await _ending.Task, errors);
        }
    }

    private async Task<int> ServeAsync(TextWriter output, TextWriter errors)
    {
        foreach (PosixSignal signal in (PosixSignal[])[PosixSignal.SIGTERM, PosixSignal.SIGINT, PosixSignal.SIGQUIT])
            _signals.Add(PosixSignalRegistration.Create(signal, OnSignal));

        bool shares = kind.SharesData(settings);
        SocketBuffers buffers = SocketBuffers.Of(Broker);
        List<BoundListener> kafka = [.. Broker.Listeners.Select(l => BoundListener.Bind(l.Name, l.Host, l.Port, buffers))];
        BoundListener? http = BindHttp();
        RuntimePorts ports = SystemPorts.Create(logs, defect => _ending.TrySetResult($"a defect: {defect.Message}"));
        var gatewaySource = new TaskCompletionSource<Gateway.Gateway>(TaskCreationOptions.RunContinuationsAsynchronously);
        Task<ServerHost> starting = ServerHost.StartAsync(
            kafka, http, new HttpEndpoints(_readiness, _metrics), gatewaySource.Task,
            Broker.Layers.IsGiven("socket.listen.backlog.size") ? Broker.SocketListenBacklog : null, logs, CancellationToken.None);

        // A signal also ends a start that takes long.
        using var giveUp = new CancellationTokenSource();
        _ = _ending.Task.ContinueWith(_ => giveUp.Cancel(), TaskScheduler.Default);
        var chunks = new NativeChunkSource();
        using OpenedStorage storage = await OpenedStorage.OpenAsync(Broker, shares, ports, chunks, giveUp.Token);
        var context = new EngineContext(settings, ports, storage, chunks)
        {
            Advertised = Advertised(kafka),
            Logs = logs,
            Fail = reason => _ending.TrySetResult(reason),
        };
        await using (IHostedEngine hosted = await kind.StartAsync(context, giveUp.Token))
        {
            BrokerEngine engine = hosted.Engine;
            using var gateway = new Gateway.Gateway(hosted.Face, new LiveOptions(engine, storage.Place).Current, TimeProvider.System, logs);
            using var engineMetrics = new EngineMetrics(engine);
            gatewaySource.SetResult(gateway);
            await using ServerHost server = await starting;
            _readiness.State = Readiness.Ready;
            await output.WriteLineAsync(new Banner(kind.Program.Engine, Broker, engine.Cluster.ClusterId)
            {
                Kafka = kafka,
                Http = http,
                DataPlace = storage.Place,
                Notes = hosted.Notes,
            }.Make(TimeProvider.System.GetElapsedTime(_startedAt)));
            await output.FlushAsync();

            string? fault = await await Task.WhenAny(_ending.Task, EndedAsync(engine));
            _readiness.State = Readiness.Stopping;
            if (fault is null)
                await LeaveAsync(hosted);
            await DrainAsync(server, gateway);
            // After a fault, nothing that this process still writes could count: what is in its journal is for whoever comes next.
            if (fault is null)
                await SealAsync(hosted, errors);
            return await EndedWithAsync(fault, errors);
        }
    }

    private async Task<int> EndedWithAsync(string? fault, TextWriter errors)
    {
        if (fault is null)
            return 0;
        await errors.WriteLineAsync($"{kind.Program.Name}: {fault}");
        return 1;
    }

    /// <summary>Ends it as a signal would.</summary>
    public void Stop() => _ending.TrySetResult(null);

    public void Dispose()
    {
        _signals.ForEach(static s => s.Dispose());
        _processMetrics.Dispose();
        _metrics.Dispose();
    }

    private static async Task<string?> EndedAsync(BrokerEngine engine) => await engine.Ended;

    private static async Task DrainAsync(ServerHost server, Gateway.Gateway gateway)
    {
        using var drain = new CancellationTokenSource(DrainAtMost);
        Task closing = server.StopAsync(drain.Token);
        gateway.Stop();
        await closing;
    }

    private async Task LeaveAsync(IHostedEngine hosted)
    {
        using var leave = new CancellationTokenSource(LeaveAtMost);
        try
        {
            await hosted.LeaveAsync(leave.Token);
        }
        catch (OperationCanceledException) when (leave.IsCancellationRequested)
        {
            logs.CreateLogger<BrokerProcess>().LogWarning("Not everything was handed over in {Seconds} s", LeaveAtMost.TotalSeconds);
        }
    }

    private async Task SealAsync(IHostedEngine hosted, TextWriter errors)
    {
        using var seal = new CancellationTokenSource(SealAtMost);
        try
        {
            await hosted.StopAsync(seal.Token);
        }
        catch (Exception e) when (e is IOException or OperationCanceledException)
        {
            await errors.WriteLineAsync($"{kind.Program.Name}: not everything was sealed, the next start replays the journal: {e.Message}");
        }
    }

    private void OnSignal(PosixSignalContext signal)
    {
        signal.Cancel = true;
        _ending.TrySetResult(null);
    }

    private BoundListener? BindHttp()
    {
        if (Broker.HttpListener is not { } text)
            return null;
        if (!Uri.TryCreate(text, UriKind.Absolute, out Uri? url) || url.Scheme != "http")
            throw new UsageException($"http.listener is an address like http://127.0.0.1:8080, not '{text}'");
        bool loopback = url.IsLoopback || (IPAddress.TryParse(url.Host.Trim('[', ']'), out IPAddress? ip) && IPAddress.IsLoopback(ip));
        if (!loopback && !Broker.AllowInsecureListeners)
            throw new UsageException($"http.listener {text} is not on a loopback address and nothing secures it: set allow.insecure.listeners=true if that is meant");
        return BoundListener.Bind("http", url.Host.Trim('[', ']'), url.Port, default);
    }

    /// <summary>What clients are told: an empty host is the machine's name, port 0 the one that was bound.</summary>
    private Dictionary<string, AdvertisedAddress> Advertised(List<BoundListener> bound) => Broker.AdvertisedListeners.ToDictionary(
        static l => l.Name,
        l => new AdvertisedAddress(l.Host.Length == 0 ? Dns.GetHostName() : l.Host, l.Port == 0 ? bound.First(b => b.Name == l.Name).Port : l.Port));
}
