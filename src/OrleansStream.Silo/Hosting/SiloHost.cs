using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Orleans.Hosting;
using Orleans.Storage;
using OrleansStream.Broker.Cluster;
using OrleansStream.Broker.Engine;
using OrleansStream.Hosting;
using OrleansStream.Silo.Cluster;
using OrleansStream.Silo.Configuration;
using OrleansStream.Silo.Storage;

namespace OrleansStream.Silo.Hosting;

/// <summary>The engine of this silo, for its grains. It is made after Orleans' host, whose grain storage it needs, and before that host is started.</summary>
public sealed class SiloEngine
{
    private BrokerEngine? _engine;

    public BrokerEngine Engine => _engine ?? throw new InvalidOperationException("the silo has no engine yet");

    /// <summary>Starts the engine over the services of a host that was built with it. Throws as <see cref="BrokerEngine.StartAsync"/> does.</summary>
    internal async Task<BrokerEngine> StartAsync(IServiceProvider services, SiloSettings settings, EngineContext context, CancellationToken cancel)
    {
        var manifests = new GrainManifests(
            services.GetRequiredKeyedService<IGrainStorage>(GrainManifests.ProviderName), context.Logs.CreateLogger<GrainManifests>());
        EngineParts parts = context.Parts with
        {
            Manifests = manifests,
            Host = services.GetRequiredService<ClusterLink>(),
            Owner = OwnerId.OfCluster(settings.ClusterId),
        };
        return _engine = await BrokerEngine.StartAsync(parts, context.Advertised, cancel);
    }
}

/// <summary>Builds the Orleans host of a silo.</summary>
internal static class SiloHost
{
    public static IHost Build(SiloSettings settings, EngineContext context, SiloEngine engine, Action<ISiloBuilder>? configure)
    {
        var builder = new HostApplicationBuilder(new HostApplicationBuilderSettings { DisableDefaults = true });
        builder.Services.AddSingleton(context.Logs);
        builder.Services.AddSingleton<IHostLifetime, NoLifetime>();
        builder.UseOrleans(silo =>
        {
            silo.AddOrleansStream(settings, context, engine);
            configure?.Invoke(silo);
        });
        return builder.Build();
    }
}
