using Microsoft.Extensions.Logging;
using Orleans;
using Orleans.Runtime;
using OrleansStream.Broker.Groups;
using OrleansStream.Broker.Groups.Admin;
using OrleansStream.Silo.Cluster;
using OrleansStream.Silo.Hosting;
using OrleansStream.Silo.Placement;
using OrleansStream.Storage;

namespace OrleansStream.Silo.Grains.Groups;

/// <summary>
/// A grain that goes where a partition of __consumer_offsets is led, and holds nothing: the coordinator there is the engine's. Found in another silo it moves,
/// and takes its callers along.
/// </summary>
internal abstract class CoordinatedGrain(SiloEngine engine, ClusterKnowledge knowledge, ILocalSiloDetails silo, ILogger log) : Grain
{
    protected SiloEngine Engine => engine;

    protected GroupAdmin Groups => engine.Engine.GroupAdmin;

    /// <summary>What the coordinator answers; NOT_COORDINATOR, which makes callers come again, where it is not here.</summary>
    protected async Task<GroupResult<T>> AskAsync<T>(Func<GroupAdmin, ValueTask<GroupResult<T>>> ask)
    {
        PartitionId? partition = PlacedGrains.PartitionOf(this.GetGrainId(), Groups);
        if (partition is { } its && knowledge.SiloOf(its) is { } assigned && !assigned.Equals(silo.SiloAddress))
        {
            log.LogDebug("{Grain} is coordinated in {Silo}", this.GetGrainId(), assigned);
            MigrateOnIdle();
            return new GroupResult<T>(ErrorCode.NotCoordinator, default);
        }
        return await ask(Groups);
    }
}
