using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using OrleansStream.Broker.Engine;
using OrleansStream.Hosting;
using OrleansStream.Silo.Cluster;
using OrleansStream.Silo.Configuration;

namespace OrleansStream.Silo.Hosting;

/// <summary>A silo that runs, with the engine that its grains hold up.</summary>
internal sealed class HostedSilo(SiloSettings settings, IHost host, BrokerEngine engine) : IHostedEngine
{
    public BrokerEngine Engine => engine;

    public IReadOnlyList<KeyValuePair<string, string>> Notes =>
    [
        new("silo", $"{settings.Advertised}:{settings.SiloPort}, {(settings.GatewayPort == 0 ? "no Orleans clients" : $"Orleans clients at port {settings.GatewayPort}")}, "
            + (settings.Clustering == Clustering.Localhost ? "alone" : $"one of cluster '{settings.ClusterId}' in the store")),
    ];

    /// <summary>What topics are changed by goes through their grains; all else is the engine's.</summary>
    public IEngine Face { get; } = new EngineFace(engine, host.Services.GetRequiredService<GrainTopicAdmin>());

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
