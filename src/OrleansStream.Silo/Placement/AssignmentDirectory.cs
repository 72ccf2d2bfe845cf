using Orleans.GrainDirectory;
using Orleans.Runtime;
using OrleansStream.Silo.Cluster;
using OrleansStream.Silo.Hosting;

namespace OrleansStream.Silo.Placement;

/// <summary>
/// The grain directory of what goes with a partition, which keeps no entries: the controller's assignment is the directory. Who looks a grain up is sent to
/// placement (<see cref="PartitionPlacementDirector"/>), and the silo that this names has the activation or makes it. An activation elsewhere, made by a caller
/// that remembers where the grain was, is told where it is, so that Orleans sends its callers on and corrects what they remember. Nothing is lost with a silo but
/// what was active there, whereas Orleans' default directory ends activations of living silos whose entries a dead one had kept. That a partition has two
/// activations for a while is possible here as with any directory, and harmless: fencing decides who makes records durable.
/// </summary>
internal sealed class AssignmentDirectory(ClusterKnowledge knowledge, SiloEngine engine) : IGrainDirectory
{
    /// <summary>What [GrainDirectory] says at a grain that is to be found this way.</summary>
    public const string Name = "assignment";

    /// <summary>Refused where this silo knows that another has the partition.</summary>
    public Task<GrainAddress?> Register(GrainAddress address)
    {
        SiloAddress? assigned = PlacedGrains.PartitionOf(address.GrainId, engine.Engine.GroupAdmin) is { } partition ? knowledge.SiloOf(partition) : null;
        return Task.FromResult<GrainAddress?>(assigned is null || assigned.Equals(address.SiloAddress) ? address : new GrainAddress
        {
            GrainId = address.GrainId,
            SiloAddress = assigned,
            MembershipVersion = address.MembershipVersion,
        });
    }

    public Task<GrainAddress?> Register(GrainAddress address, GrainAddress? previousAddress) => Register(address);

    public Task Unregister(GrainAddress address) => Task.CompletedTask;

    public Task<GrainAddress?> Lookup(GrainId grainId) => Task.FromResult<GrainAddress?>(null);

    public Task UnregisterSilos(List<SiloAddress> siloAddresses) => Task.CompletedTask;
}
