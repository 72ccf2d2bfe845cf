using System.IO.Pipelines;
using System.Net;
using Microsoft.Extensions.Logging;
using OrleansStream.Broker.Engine;
using OrleansStream.Gateway.Connections;
using OrleansStream.Gateway.Dispatch;
using OrleansStream.Gateway.Fetching;
using OrleansStream.Gateway.Handlers;
using OrleansStream.Gateway.Metrics;

namespace OrleansStream.Gateway;

/// <summary>The Kafka listener over an engine: what all connections share.</summary>
public sealed class Gateway : IDisposable
{
    private readonly CancellationTokenSource _stopping = new();
    private readonly Func<GatewayOptions> _options;
    private readonly ConnectionSet _connections;

    /// <param name="engine">Hosts the partitions.</param>
    /// <param name="options">The options in force: some of Kafka's settings change while the broker runs.</param>
    /// <param name="time">The clock.</param>
    /// <param name="logs">One line for each connection that is closed for a fault.</param>
    public Gateway(IEngine engine, Func<GatewayOptions> options, TimeProvider time, ILoggerFactory logs)
    {
        Engine = engine;
        _options = options;
        Time = time;
        Log = logs.CreateLogger("OrleansStream.Gateway");
        Sessions = new FetchSessionCache(Options.FetchSessionSlots, time);
        Apis = new SupportedApis(AllHandlers.Make());
        Receiving = new RequestMemory(() => Options.MaxReceivingBytes);
        _connections = new ConnectionSet(options, time, Log);
    }

    public IEngine Engine { get; }
    public GatewayOptions Options => _options();
    public TimeProvider Time { get; }
    public ILogger Log { get; }
    public SupportedApis Apis { get; }
    public GatewayMetrics Metrics { get; } = new();
    public FetchSessionCache Sessions { get; }

    /// <summary>What requests hold that are being received.</summary>
    internal RequestMemory Receiving { get; }

    /// <summary>Cancelled when the broker stops: waiting fetches answer with what there is, connections read no more.</summary>
    public CancellationToken Stopping => _stopping.Token;

    /// <summary>Serves a connection until it ends. <paramref name="closed"/> says that the client is gone.</summary>
    public async Task ServeAsync(Listener listener, EndPoint? peer, IDuplexPipe transport, CancellationToken closed)
    {
        using var cancel = CancellationTokenSource.CreateLinkedTokenSource(closed, Stopping);
        using IDisposable? place = await _connections.EnterAsync(peer, cancel.Token);
        if (place is null)
            return;
        Metrics.ConnectionOpened();
        var connection = new KafkaConnection(this, new Peer(listener, Principal.Anonymous, peer?.ToString() ?? "an unknown peer"), transport, closed);
        try
        {
            _connections.Add(connection);
            await connection.RunAsync(Stopping);
        }
        finally
        {
            _connections.Remove(connection);
            Metrics.ConnectionClosed();
        }
    }

    /// <summary>Asks all connections to finish what is under way and to end.</summary>
    public void Stop() => _stopping.Cancel();

    public void Dispose()
    {
        _connections.Dispose();
        _stopping.Dispose();
        Metrics.Dispose();
    }
}
