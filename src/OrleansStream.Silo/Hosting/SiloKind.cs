using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
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
        // A start that hangs is seen to hang at one of these.
        ILogger log = context.Logs.CreateLogger<SiloKind>();
        var slot = new SiloEngine();
        IHost host = SiloHost.Build(settings, context, slot, configure);
        BrokerEngine? engine = null;
        try
        {
            engine = await slot.StartAsync(host.Services, settings, context, cancel);
            log.LogInformation("The store is open; joining the silos of {ClusterId}", settings.ClusterId);
            await host.StartAsync(cancel);
            log.LogInformation("This silo has joined, and knows who leads what");
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
