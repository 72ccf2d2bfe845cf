using System.Buffers;
using OrleansStream.Broker.Engine;
using OrleansStream.Broker.Partitions;
using OrleansStream.Protocol;
using OrleansStream.Storage.Ports;

namespace OrleansStream.Broker.Forwarding;

/// <summary>
/// What other brokers ask of this one: for partitions and groups that are led here. It never asks a third one: who is asked in vain says so, and whoever asked
/// looks again. Throws nothing.
/// </summary>
public sealed class ForwardedRequests(BrokerEngine engine, RuntimePorts ports) : IPeerBroker
{
    /// <summary>For so long a call waits for this broker to hear what its caller knows, and for the partition to open: as the gateway lets requests wait.</summary>
    private static readonly TimeSpan OpeningAtMost = TimeSpan.FromSeconds(5);

    private readonly CallTurns _turns = new(ports);
    private ForwardedGroups? _groups;

    private ForwardedGroups Groups => _groups ??= new ForwardedGroups(engine, _turns);

    public async Task<AppendResult> AppendAsync(PeerCall call, CallOrder order, ReadOnlyMemory<byte> records, Acks acks, short produceVersion)
    {
        if (!await _turns.EnterAsync(order))
            return new AppendResult(ErrorCode.NotLeaderOrFollower);
        ValueTask<AppendResult> append;
        try
        {
            // Here the bytes come to lie, so it is here that there must be room. Those behind wait, too.
            await engine.AdmitAsync(records.Length, CancellationToken.None);
            var lease = await LeaseAsync(call);
            append = lease.Partition is { } partition
                ? partition.AppendAsync(new ReadOnlySequence<byte>(records), acks, produceVersion) : new(new AppendResult(lease.Error));
        }
        finally
        {
            _turns.Leave(order);
        }
        return await append;
    }

    public async Task<PartitionRead> ReadAsync(PeerCall call, PartitionReadRequest wish)
    {
        var lease = await LeaseAsync(call);
        return lease.Partition is { } partition
            ? await partition.ReadAsync(wish, CancellationToken.None) : new PartitionRead(lease.Error, -1, -1, -1, default);
    }

    public async Task<Watermarks> WaitAsync(PeerCall call, long known, TimeSpan atMost)
    {
        var lease = await LeaseAsync(call);
        if (lease.Partition is not { } partition)
            return new Watermarks(lease.Error);
        var since = ports.Time.GetTimestamp();
        var signal = new ChangeSignal();
        using var watch = partition.Watch(signal);
        while (true)
        {
            var changed = signal.Next();
            if (!partition.Leads)
                return new Watermarks(ErrorCode.NotLeaderOrFollower);
            var left = atMost - ports.Time.GetElapsedTime(since);
            if (partition.HighWatermark > known || left <= TimeSpan.Zero)
                return new Watermarks(ErrorCode.None, partition.HighWatermark, partition.LastStableOffset, partition.LogStartOffset);
            try
            {
                await changed.WaitAsync(left, ports.Time);
            }
            catch (TimeoutException)
            {
                // Answered as it is.
            }
        }
    }

    public async Task<OffsetLookup> ListOffsetAsync(PeerCall call, long timestamp, IsolationLevel isolation, int currentLeaderEpoch)
    {
        var lease = await LeaseAsync(call);
        return lease.Partition is { } partition
            ? await partition.ListOffsetAsync(timestamp, isolation, currentLeaderEpoch, CancellationToken.None) : new OffsetLookup(lease.Error);
    }

    public async Task<EpochEnd> EndOffsetForEpochAsync(PeerCall call, int currentLeaderEpoch, int leaderEpoch)
    {
        var lease = await LeaseAsync(call);
        return lease.Partition is { } partition
            ? await partition.EndOffsetForEpochAsync(currentLeaderEpoch, leaderEpoch, CancellationToken.None) : new EpochEnd(lease.Error);
    }

    public async Task<DeletedRecords> DeleteRecordsAsync(PeerCall call, long offset)
    {
        var lease = await LeaseAsync(call);
        return lease.Partition is { } partition
            ? await partition.DeleteRecordsAsync(offset, CancellationToken.None) : new DeletedRecords(lease.Error, -1);
    }

    public async Task<ActiveProducers> DescribeProducersAsync(PeerCall call)
    {
        var lease = await LeaseAsync(call);
        return lease.Partition is { } partition ? await partition.DescribeProducersAsync(CancellationToken.None) : new ActiveProducers(lease.Error, []);
    }

    public async Task<long?> SizeAsync(PeerCall call) =>
        (await LeaseAsync(call)).Partition is { } partition ? await partition.SizeAsync(CancellationToken.None) : null;

    public async Task<ReadOnlyMemory<byte>> AskGroupAsync(GroupCall call)
    {
        await CatchUpAsync(call.AssignmentVersion);
        return await Groups.AskAsync(call);
    }

    private async ValueTask<PartitionLease> LeaseAsync(PeerCall call)
    {
        if (engine.Assignment.Version < call.AssignmentVersion)
            await CatchUpAsync(call.AssignmentVersion);
        if (!engine.Cluster.TopicsById.TryGetValue(call.Partition.TopicId, out var topic))
        {
            await engine.PublishedAsync();
            // Deleted, or not heard of yet: the caller's picture says which.
            if (!engine.Cluster.TopicsById.TryGetValue(call.Partition.TopicId, out topic))
                return new PartitionLease(ErrorCode.NotLeaderOrFollower, null);
        }
        var lease = engine.GetPartitionAsync(topic, call.Partition.Index, CancellationToken.None);
        return Leading(lease.IsCompletedSuccessfully ? lease.Result : await OpeningAsync(lease.AsTask()));
    }

    /// <summary>A partition that has stepped down would still read; but who comes from another broker wants the leader.</summary>
    private static PartitionLease Leading(PartitionLease lease) => lease.Error != ErrorCode.None ? new PartitionLease(lease.Error, null)
        : lease.Partition is { Leads: true } ? lease : new PartitionLease(ErrorCode.NotLeaderOrFollower, null);

    private async ValueTask<PartitionLease> OpeningAsync(Task<PartitionLease> opening)
    {
        try
        {
            return await opening.Inline().WaitAsync(OpeningAtMost, ports.Time);
        }
        catch (TimeoutException)
        {
            return new PartitionLease(ErrorCode.NotLeaderOrFollower, null);
        }
    }

    private async ValueTask CatchUpAsync(long version)
    {
        var since = ports.Time.GetTimestamp();
        while (engine.Assignment.Version is var known && known < version)
        {
            var left = OpeningAtMost - ports.Time.GetElapsedTime(since);
            if (left <= TimeSpan.Zero)
                return;
            try
            {
                await engine.AssignedAfterAsync(known).WaitAsync(left, ports.Time);
            }
            catch (TimeoutException)
            {
                return;
            }
        }
    }

    private sealed class ChangeSignal : IPartitionWatcher
    {
        private TaskCompletionSource _changed = New();

        /// <summary>Completes when something changes from now on.</summary>
        public Task Next()
        {
            if (_changed.Task.IsCompleted)
                Volatile.Write(ref _changed, New());
            return _changed.Task.Inline();
        }

        public void Changed() => Volatile.Read(ref _changed).TrySetResult();

        private static TaskCompletionSource New() => new(TaskCreationOptions.RunContinuationsAsynchronously);
    }
}
