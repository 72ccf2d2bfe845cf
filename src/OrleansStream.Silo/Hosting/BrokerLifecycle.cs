using Orleans;
using Orleans.Runtime;
using OrleansStream.Silo.Cluster;

namespace OrleansStream.Silo.Hosting;

/// <summary>A silo that has joined becomes a broker: from then on it hears from the controller, until it stops.</summary>
internal sealed class BrokerLifecycle(ClusterLink link, IGrainFactory grains, ILocalSiloDetails silo) : ILifecycleParticipant<ISiloLifecycle>
{
    public void Participate(ISiloLifecycle lifecycle) => lifecycle.Subscribe(
        nameof(BrokerLifecycle), ServiceLifecycleStage.Active,
        cancel => link.StartAsync(grains, silo.SiloAddress, cancel), async _ => await link.DisposeAsync());
}
