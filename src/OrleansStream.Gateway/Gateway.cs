using System.IO.Pipelines;
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

    public Gateway(IEngine engine, GatewayOptions options, TimeProvider time, ILoggerFactory logs)
    {
        Engine = engine;
        Options = options;
        Time = time;
        Log = logs.CreateLogger("OrleansStream.Gateway");
        Sessions = new FetchSessionCache(options.FetchSessionSlots, time);
        Apis = new SupportedApis(AllHandlers.Make());
    }

    public IEngine Engine { get; }
    public GatewayOptions Options { get; }
    public TimeProvider Time { get; }
    public ILogger Log { get; }
    public SupportedApis Apis { get; }
    public GatewayMetrics Metrics { get; } = new();
    public FetchSessionCache Sessions { get; }

    /// <summary>Cancelled when the broker stops: waiting fetches answer with what there is, connections read no more.</summary>
    public CancellationToken Stopping => _stopping.Token;

    /// <summary>Serves a connection until it ends. <paramref name="closed"/> says that the client is gone.</summary>
    public async Task ServeAsync(Listener listener, string peerAddress, IDuplexPipe transport, CancellationToken closed)
    {
        Metrics.ConnectionOpened();
        try
        {
            var connection = new KafkaConnection(this, new Peer(listener, Principal.Anonymous, peerAddress), transport, closed);
            await connection.RunAsync(Stopping);
        }
        finally
        {
            Metrics.ConnectionClosed();
        }
    }

    /// <summary>Asks all connections to finish what is under way and to end.</summary>
    public void Stop() => _stopping.Cancel();

    public void Dispose()
    {
        _stopping.Dispose();
        Metrics.Dispose();
    }
}
