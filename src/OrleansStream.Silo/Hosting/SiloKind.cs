using Microsoft.Extensions.Hosting;
using Orleans.Hosting;
using OrleansStream.Broker.Engine;
using OrleansStream.Hosting;
using OrleansStream.Hosting.Configuration;
using OrleansStream.Silo.Configuration;

namespace OrleansStream.Silo.Hosting;

/// <summary>A broker that is an Orleans silo: alone, with the data as Standalone keeps it, or one of a cluster over a store that all share.</summary>
internal sealed class SiloKind(Action<ISiloBuilder>? configure = null) : IEngineKind
{
    public ProgramDescription Program { get; } =
        new("ostream-silo", "Orleans", "a Kafka broker that is an Orleans silo. To Kafka clients, silos that share a store are one cluster.")
        {
            Options = SiloSettings.Options,
            Implied = SiloSettings.Implied,
        };

    public bool SharesData(ProcessSettings settings) => SiloSettings.From(settings).Clustering == Clustering.Store;

    public async Task<IHostedEngine> StartAsync(EngineContext context, CancellationToken cancel)
    {
        SiloSettings settings = SiloSettings.From(context.Settings);
        var slot = new SiloEngine();
        IHost host = SiloHost.Build(settings, context, slot, configure);
        BrokerEngine? engine = null;
        try
        {
            engine = await slot.StartAsync(host.Services, settings, context, cancel);
            await host.StartAsync(cancel);
            return new HostedSilo(settings, host, engine);
        }
        catch
        {
            host.Dispose();
            if (engine is not null)
                await engine.DisposeAsync();
            throw;
        }
    }
}
