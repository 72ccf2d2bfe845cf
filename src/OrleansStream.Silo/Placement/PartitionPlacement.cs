using Orleans;
using Orleans.Placement;
using Orleans.Runtime;
using Orleans.Runtime.Placement;
using OrleansStream.Silo.Cluster;
using OrleansStream.Silo.Hosting;

namespace OrleansStream.Silo.Placement;

/// <summary>
/// Places a grain in the silo that the cluster's controller has assigned its partition to: a partition's own grain, and those of groups with the partition of
/// __consumer_offsets that coordinates them.
/// </summary>
[AttributeUsage(AttributeTargets.Class)]
public sealed class PartitionPlacementAttribute() : PlacementAttribute(PartitionPlacementStrategy.Instance);

/// <summary>The strategy behind <see cref="PartitionPlacementAttribute"/>: data for Orleans, the decision is the director's.</summary>
[GenerateSerializer, Immutable, SuppressReferenceTracking, Alias("OrleansStream.PartitionPlacementStrategy")]
public sealed class PartitionPlacementStrategy : PlacementStrategy
{
    internal static PartitionPlacementStrategy Instance { get; } = new();
}

/// <summary>
/// Looks the assignment up as this silo knows it. Where that is old, the activation finds itself in the wrong silo and ends; the controller, who knows best,
/// calls a partition's again, and who wants something of a group calls that one's.
/// </summary>
internal sealed class PartitionPlacementDirector(ClusterKnowledge knowledge, SiloEngine engine) : IPlacementDirector
{
    public Task<SiloAddress> OnAddActivation(PlacementStrategy strategy, PlacementTarget target, IPlacementContext context)
    {
        SiloAddress[] compatible = context.GetCompatibleSilos(target);
        if (PlacedGrains.PartitionOf(target.GrainIdentity, engine.Engine.GroupAdmin) is { } partition && knowledge.SiloOf(partition) is { } assigned
            && compatible.Contains(assigned))
            return Task.FromResult(assigned);
        return Task.FromResult(compatible.Contains(context.LocalSilo) ? context.LocalSilo : compatible[0]);
    }
}
