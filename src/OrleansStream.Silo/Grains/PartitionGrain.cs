using System.Buffers;
using Microsoft.Extensions.Logging;
using Orleans;
using Orleans.Concurrency;
using Orleans.GrainDirectory;
using Orleans.Runtime;
using OrleansStream.Broker.Engine;
using OrleansStream.Broker.Partitions;
using OrleansStream.Broker.Topics;
using OrleansStream.Grains;
using OrleansStream.Silo.Cluster;
using OrleansStream.Silo.Hosting;
using OrleansStream.Silo.Placement;
using OrleansStream.Silo.Storage;
using OrleansStream.Storage;

namespace OrleansStream.Silo.Grains;

/// <summary>
/// A partition in the silo that leads it: being active here means leading it here. The log is the engine's, and Kafka clients reach it without this grain;
/// other silos and Orleans clients come through it. Kept alive, because Orleans sees nothing of the partition's work.
/// </summary>
[Reentrant, PartitionPlacement, GrainDirectory(GrainDirectoryName = AssignmentDirectory.Name), GrainType(PartitionGrainId.GrainTypeName)]
internal sealed class PartitionGrain(
    SiloEngine engine, ClusterKnowledge knowledge, ClusterLink link, TopicDeletions deletions, ILocalSiloDetails silo, ILogger<PartitionGrain> log)
    : Grain, IPartitionGrain
{
    private static readonly TimeSpan WaitedAtMost = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan ReleasedAtMost = TimeSpan.FromSeconds(10);

    // Less than the controller waits for an answer.
    private static readonly TimeSpan HeardAtMost = TimeSpan.FromSeconds(2);

    private readonly CancellationTokenSource _ended = new();
    private PartitionId _id;
    private CancellationTokenRegistration _deleted;
    private int _saidEpoch = -1;
    private int _hearing;

    private BrokerEngine Engine => engine.Engine;

    public override Task OnActivateAsync(CancellationToken cancellationToken)
    {
        if (!PartitionGrainId.TryParse(this.GetPrimaryKeyString(), out _id))
            throw new ArgumentException($"'{this.GetPrimaryKeyString()}' is no partition's key");
        DelayDeactivation(Timeout.InfiniteTimeSpan);
        if (IsHere)
            Lead();
        return Task.CompletedTask;
    }

    public override async Task OnDeactivateAsync(DeactivationReason reason, CancellationToken cancellationToken)
    {
        log.LogInformation("Partition {Partition} is led here no more: {Reason}", _id, reason.Description);
        _deleted.Dispose();
        _ended.Cancel();
        await Engine.ReleaseAsync(_id, cancellationToken);
    }

    public async Task LeadAsync(long version)
    {
        _hearing++;
        try
        {
            await link.ReachedAsync(version, HeardAtMost);
        }
        finally
        {
            _hearing--;
        }
        if (IsHere)
        {
            Lead();
        }
        else if (deletions.Has(_id.TopicId))
        {
            // Deleted while the command was on its way.
            DeactivateOnIdle();
        }
        else
        {
            // Called by an address that the caller remembers. Ending here would leave that address in use, and the next call would come here again:
            // so the grain goes where it belongs, and takes its callers along.
            log.LogInformation("Partition {Partition} is not this silo's to lead: {Silo} has it", _id, knowledge.SiloOf(_id));
            MigrateOnIdle();
        }
    }

    public async Task PrepareReleaseAsync() => await Engine.PrepareReleaseAsync(_id, _ended.Token);

    public async Task ReleaseAsync()
    {
        using var limit = new CancellationTokenSource(ReleasedAtMost);
        try
        {
            await Engine.ReleaseAsync(_id, limit.Token);
        }
        finally
        {
            // It goes to its next leader at once, and takes along who calls it meanwhile: by itself the next call would first come here again, where its caller
            // remembers it.
            if (IsHere)
                DeactivateOnIdle();
            else
                MigrateOnIdle();
        }
    }

    public async Task<PartitionAppend> AppendAsync(ReadOnlyMemory<byte> batches, short acks, short produceVersion)
    {
        await Engine.AdmitAsync(batches.Length, CancellationToken.None);
        PartitionLease lease = await LeaseAsync();
        return lease.Partition is { } partition && lease.Error == ErrorCode.None
            ? Answer(await partition.AppendAsync(new ReadOnlySequence<byte>(batches), (Acks)acks, produceVersion))
            : new PartitionAppend((short)lease.Error, -1, -1, -1);
    }

    public async Task<PartitionAppend[]> AppendManyAsync(PendingAppend[] appends)
    {
        await Engine.AdmitAsync(appends.Sum(static a => a.Batches.Length), CancellationToken.None);
        PartitionLease lease = await LeaseAsync();
        if (lease.Partition is not { } partition || lease.Error != ErrorCode.None)
            return [.. appends.Select(_ => new PartitionAppend((short)lease.Error, -1, -1, -1))];
        // All begin before the first is awaited: they share the journal's commits.
        ValueTask<AppendResult>[] begun =
            [.. appends.Select(a => partition.AppendAsync(new ReadOnlySequence<byte>(a.Batches), (Acks)a.Acks, a.ProduceVersion))];
        var answers = new PartitionAppend[begun.Length];
        for (int i = 0; i < begun.Length; i++)
            answers[i] = Answer(await begun[i]);
        return answers;
    }

    public async Task<PartitionRecords> ReadAsync(PartitionReadWish wish, TimeSpan maxWait)
    {
        PartitionLease lease = await LeaseAsync();
        return lease.Partition is { } partition && lease.Error == ErrorCode.None
            ? await PartitionReads.ReadAsync(partition, wish, maxWait < WaitedAtMost ? maxWait : WaitedAtMost, _ended.Token)
            : PartitionReads.Failed(lease.Error);
    }

    public async IAsyncEnumerable<PartitionRecords> FollowAsync(long offset, int maxBytes, bool committedOnly)
    {
        while (!_ended.IsCancellationRequested)
        {
            PartitionRecords records = await ReadAsync(new PartitionReadWish(offset, maxBytes, CommittedOnly: committedOnly), WaitedAtMost);
            if (records.ErrorCode == 0 && records.Batches.IsEmpty)
                continue;
            yield return records;
            if (records.ErrorCode != 0)
                yield break;
            offset = PartitionReads.NextOffset(records.Batches);
        }
    }

    public async Task<PartitionOffset> ListOffsetAsync(long timestamp, bool committedOnly, int currentLeaderEpoch)
    {
        PartitionLease lease = await LeaseAsync();
        if (lease.Partition is not { } partition || lease.Error != ErrorCode.None)
            return new PartitionOffset((short)lease.Error, -1);
        OffsetLookup found = await partition.ListOffsetAsync(
            timestamp, committedOnly ? IsolationLevel.ReadCommitted : IsolationLevel.ReadUncommitted, currentLeaderEpoch, _ended.Token);
        return new PartitionOffset((short)found.Error, found.Offset, found.Timestamp, found.LeaderEpoch);
    }

    public async Task<PartitionOffset> EndOffsetForEpochAsync(int currentLeaderEpoch, int leaderEpoch)
    {
        PartitionLease lease = await LeaseAsync();
        if (lease.Partition is not { } partition || lease.Error != ErrorCode.None)
            return new PartitionOffset((short)lease.Error, -1);
        EpochEnd end = await partition.EndOffsetForEpochAsync(currentLeaderEpoch, leaderEpoch, _ended.Token);
        return new PartitionOffset((short)end.Error, end.EndOffset, -1, end.LeaderEpoch);
    }

    public async Task<PartitionOffset> DeleteRecordsAsync(long offset)
    {
        PartitionLease lease = await LeaseAsync();
        if (lease.Partition is not { } partition || lease.Error != ErrorCode.None)
            return new PartitionOffset((short)lease.Error, -1);
        DeletedRecords deleted = await partition.DeleteRecordsAsync(offset, _ended.Token);
        return new PartitionOffset((short)deleted.Error, deleted.LowWatermark);
    }

    public async Task<PartitionState> DescribeAsync()
    {
        PartitionLease lease = await LeaseAsync();
        return lease.Partition is { } partition && lease.Error == ErrorCode.None
            ? new PartitionState(
                0, partition.LeaderEpoch, partition.LogStartOffset, partition.HighWatermark, await partition.SizeAsync(_ended.Token) ?? -1)
            : new PartitionState((short)lease.Error, -1, -1, -1, -1);
    }

    private bool IsHere => knowledge.SiloOf(_id) is { } assigned && assigned.Equals(silo.SiloAddress);

    /// <summary>In the background: a long replay must not run into the time-out of an activation, or of the call.</summary>
    private void Lead()
    {
        _deleted.Dispose();
        // Kept alive, it would outlive its topic. (DeactivateOnIdle is for the grain's own turns, this comes on another thread.)
        _deleted = deletions.Of(_id.TopicId).Register(
            () => GrainContext.Deactivate(new DeactivationReason(DeactivationReasonCode.ApplicationRequested, "Its topic was deleted.")));
        _ = LeadInBackgroundAsync();
    }

    private async Task LeadInBackgroundAsync()
    {
        try
        {
            int epoch = await Engine.LeadAsync(_id, _ended.Token);
            // Told again and again until the controller hears of it, it says so once; and nothing where it was deleted or released meanwhile.
            if (epoch == _saidEpoch || epoch < 0)
                return;
            _saidEpoch = epoch;
            log.LogInformation("Partition {Partition} is led here under epoch {LeaderEpoch}", _id, epoch);
        }
        catch (OperationCanceledException)
        {
            // Released meanwhile.
        }
        catch (Exception e)
        {
            log.LogError(e, "Partition {Partition} cannot be led here", _id);
        }
    }

    private async ValueTask<PartitionLease> LeaseAsync()
    {
        PartitionLease lease = Engine.Cluster.TopicsById.TryGetValue(_id.TopicId, out TopicPicture? topic)
            ? await Engine.GetPartitionAsync(topic, _id.Index, _ended.Token)
            : new PartitionLease(ErrorCode.UnknownTopicId, null);
        // A caller whose silo had an old picture brought the grain to life here: the next call finds its place anew. Unless the old picture is this silo's.
        if (lease.Error != ErrorCode.None && !IsHere && _hearing == 0)
            DeactivateOnIdle();
        return lease;
    }

    private static PartitionAppend Answer(AppendResult result) => new(
        (short)result.Error, result.BaseOffset, result.LogAppendTimeMs, result.LogStartOffset, result.ErrorMessage,
        result.RecordErrors is { } errors ? [.. errors.Select(static e => new AppendRecordError(e.BatchIndex, e.Message))] : null);
}
