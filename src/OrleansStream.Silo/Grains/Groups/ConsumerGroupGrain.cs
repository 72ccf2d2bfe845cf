using Microsoft.Extensions.Logging;
using Orleans;
using Orleans.Concurrency;
using Orleans.GrainDirectory;
using Orleans.Runtime;
using OrleansStream.Broker.Groups;
using OrleansStream.Broker.Groups.Admin;
using OrleansStream.Grains;
using OrleansStream.Silo.Cluster;
using OrleansStream.Silo.Hosting;
using OrleansStream.Silo.Placement;
using GroupOffset = OrleansStream.Grains.GroupOffset;
using OffsetReset = OrleansStream.Grains.OffsetReset;

namespace OrleansStream.Silo.Grains.Groups;

/// <summary>A group's face for services and administrators, by Broker's rules: the coordinator itself is the engine's, and members reach it without this grain.</summary>
[Reentrant, PartitionPlacement, GrainDirectory(GrainDirectoryName = AssignmentDirectory.Name), GrainType(PlacedGrains.Group)]
internal sealed class ConsumerGroupGrain(
    SiloEngine engine, ClusterKnowledge knowledge, ILocalSiloDetails silo, GrainTopicAdmin topics, ILogger<ConsumerGroupGrain> log)
    : CoordinatedGrain(engine, knowledge, silo, log), IConsumerGroupGrain
{
    private readonly CancellationTokenSource _ended = new();

    private string GroupId => this.GetPrimaryKeyString();

    private GrainPartitionOffsets Partitions => new(GrainFactory);

    public override Task OnDeactivateAsync(DeactivationReason reason, CancellationToken cancellationToken)
    {
        _ended.Cancel();
        return Task.CompletedTask;
    }

    public async Task<GroupDescription> DescribeAsync() => (await AskAsync(g => g.DescribeAsync(GroupId))).ToDescription();

    public async Task<GroupLag> LagAsync() => (await AskAsync(g => g.LagAsync(GroupId, Partitions, _ended.Token))).ToContract();

    public async Task<GroupOffsets> PlanResetAsync(OffsetReset reset) =>
        (await AskAsync(g => g.PlanResetAsync(GroupId, reset.ToBroker(), Partitions, _ended.Token))).ToContract();

    public async Task<GroupOffsets> CommitAsync(GroupOffset[] offsets) =>
        (await AskAsync(g => g.CommitAsync(GroupId, [.. offsets.Select(static o => o.ToBroker())]))).ToContract();

    public async Task<GroupOutcome> DeleteAsync()
    {
        GroupResult<bool> deleted = await AskAsync(async g => new GroupResult<bool>(await g.DeleteAsync(GroupId), default));
        return new GroupOutcome((short)deleted.Error, deleted.Message);
    }

    /// <summary>Whoever wants something of a group wants __consumer_offsets to be there, as in Kafka.</summary>
    private new async Task<GroupResult<T>> AskAsync<T>(Func<GroupAdmin, ValueTask<GroupResult<T>>> ask)
    {
        if (Groups.PartitionOf(GroupId) is null)
        {
            CoordinatorLookup found = await Engine.Engine.Groups.FindAsync(GroupId, topics, _ended.Token);
            if (found.Error != ErrorCode.None)
                return new GroupResult<T>(found.Error, default, found.Message);
        }
        return await base.AskAsync(ask);
    }
}

/// <summary>All groups of a partition of __consumer_offsets.</summary>
[Reentrant, PartitionPlacement, GrainDirectory(GrainDirectoryName = AssignmentDirectory.Name), GrainType(PlacedGrains.GroupPartition)]
internal sealed class GroupPartitionGrain(SiloEngine engine, ClusterKnowledge knowledge, ILocalSiloDetails silo, ILogger<GroupPartitionGrain> log)
    : CoordinatedGrain(engine, knowledge, silo, log), IGroupPartitionGrain
{
    public async Task<GroupList> ListAsync() => (await AskAsync(g => g.ListAsync(checked((int)this.GetPrimaryKeyLong())))).ToContract();
}
