using Orleans.GrainDirectory;
using Orleans.Runtime;

namespace OrleansStream.Silo.Placement;

/// <summary>
/// The grain directory of what goes with a partition, which keeps no entries: the controller's assignment is the directory. Who looks a grain up is sent to
/// placement (<see cref="PartitionPlacementDirector"/>), and the silo that this names has the activation or makes it. So nothing is lost with a silo but what was
/// active there, whereas Orleans' default directory ends activations of living silos whose entries a dead one had kept. That a partition has two activations for a while is
/// possible here as with any directory, and harmless: fencing decides who makes records durable.
/// </summary>
internal sealed class AssignmentDirectory : IGrainDirectory
{
    /// <summary>What [GrainDirectory] says at a grain that is to be found this way.</summary>
    public const string Name = "assignment";

    public Task<GrainAddress?> Register(GrainAddress address) => Task.FromResult<GrainAddress?>(address);

    public Task<GrainAddress?> Register(GrainAddress address, GrainAddress? previousAddress) => Task.FromResult<GrainAddress?>(address);

    public Task Unregister(GrainAddress address) => Task.CompletedTask;

    public Task<GrainAddress?> Lookup(GrainId grainId) => Task.FromResult<GrainAddress?>(null);

    public Task UnregisterSilos(List<SiloAddress> siloAddresses) => Task.CompletedTask;
}
