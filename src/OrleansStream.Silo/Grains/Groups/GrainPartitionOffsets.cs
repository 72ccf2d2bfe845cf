using Orleans;
using Orleans.Runtime;
using OrleansStream.Broker.Groups.Admin;
using OrleansStream.Broker.Partitions;
using OrleansStream.Grains;
using OrleansStream.Silo.Storage;
using OrleansStream.Storage;

namespace OrleansStream.Silo.Grains.Groups;

/// <summary>Asks partitions by their grains, wherever they are led.</summary>
internal sealed class GrainPartitionOffsets(IGrainFactory grains) : IPartitionOffsets
{
    private const int NoEpoch = -1;

    // Shorter than the caller's patience: a call to a silo that was killed is only seen to fail by this.
    private static readonly TimeSpan AskedAtMost = TimeSpan.FromSeconds(3);

    public async ValueTask<OffsetLookup> ListOffsetAsync(PartitionId partition, long timestamp, CancellationToken cancel)
    {
        try
        {
            PartitionOffset found = await grains.GetGrain<IPartitionGrain>(PartitionGrainId.KeyOf(partition))
                .ListOffsetAsync(timestamp, committedOnly: false, NoEpoch).WaitAsync(AskedAtMost, cancel);
            return new OffsetLookup((ErrorCode)found.ErrorCode, found.Timestamp, found.Offset, found.LeaderEpoch);
        }
        catch (Exception e) when (!cancel.IsCancellationRequested && e is OrleansException or TimeoutException or OperationCanceledException)
        {
            // Its silo has died, or it is on its way to another: asked again, it answers there.
            return new OffsetLookup(ErrorCode.LeaderNotAvailable);
        }
    }
}
