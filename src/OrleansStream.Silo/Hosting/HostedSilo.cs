using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using OrleansStream.Broker.Engine;
using OrleansStream.Broker.Forwarding;
using OrleansStream.Hosting;
using OrleansStream.Silo.Cluster;
using OrleansStream.Silo.Configuration;
using OrleansStream.Silo.Forwarding;
using OrleansStream.Storage.Ports;

namespace OrleansStream.Silo.Hosting;

/// <summary>A silo that runs, with the engine that its grains hold up.</summary>
internal sealed class HostedSilo(SiloSettings settings, IHost host, BrokerEngine engine) : IHostedEngine
{
    public BrokerEngine Engine => engine;

    public IReadOnlyList<KeyValuePair<string, string>> Notes =>
    [
        .. settings.OneAddress ? new KeyValuePair<string, string>[] { new("clients", "see one broker; what other silos lead is forwarded to them") } : [],
        new("silo", $"{settings.Advertised}:{settings.SiloPort}, {(settings.GatewayPort == 0 ? "no Orleans clients" : $"Orleans clients at port {settings.GatewayPort}")}, "
            + (settings.Clustering == Clustering.Localhost ? "alone" : $"one of cluster '{settings.ClusterId}' in the store")),
    ];

    /// <summary>What topics are changed by goes through their grains; all else is the engine's, or forwarded to whose it is.</summary>
    public IEngine Face { get; } = settings.OneAddress
        ? new ForwardingEngine(
            engine, host.Services.GetRequiredService<GrainTopicAdmin>(), host.Services.GetRequiredService<GrainPeers>(), host.Services.GetRequiredService<RuntimePorts>())
        : new EngineFace(engine, host.Services.GetRequiredService<GrainTopicAdmin>());

    /// <summary>Hands this broker's partitions to others while it still serves; where there are none, at once.</summary>
    public Task LeaveAsync(CancellationToken cancel) => host.Services.GetRequiredService<ClusterLink>().LeaveAsync(cancel);

    /// <summary>The silo first: its grains let go of their partitions one by one, and the others hear at once that it is gone.</summary>
    public async Task StopAsync(CancellationToken cancel)
    {
        await host.StopAsync(cancel);
        await engine.StopAsync(cancel);
    }

    public async ValueTask DisposeAsync()
    {
        host.Dispose();
        await engine.DisposeAsync();
    }
}
