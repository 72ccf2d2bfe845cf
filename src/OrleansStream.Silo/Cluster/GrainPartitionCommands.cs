using Orleans;
using OrleansStream.Broker.Cluster;
using OrleansStream.Grains;
using OrleansStream.Silo.Storage;
using OrleansStream.Storage;

namespace OrleansStream.Silo.Cluster;

/// <summary>The controller's commands, as calls of the partitions' grains.</summary>
internal sealed class GrainPartitionCommands(IGrainFactory grains) : IPartitionCommands
{
    public async ValueTask PrepareReleaseAsync(PartitionId partition, CancellationToken cancel) => await Grain(partition).PrepareReleaseAsync().WaitAsync(cancel);

    public async ValueTask ReleaseAsync(PartitionId partition, CancellationToken cancel) => await Grain(partition).ReleaseAsync().WaitAsync(cancel);

    public async ValueTask LeadAsync(PartitionId partition, long version, CancellationToken cancel) =>
        await Grain(partition).LeadAsync(version).WaitAsync(cancel);

    private IPartitionGrain Grain(PartitionId partition) => grains.GetGrain<IPartitionGrain>(PartitionGrainId.KeyOf(partition));
}
