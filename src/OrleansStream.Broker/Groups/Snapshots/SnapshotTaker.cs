using Microsoft.Extensions.Logging;
using OrleansStream.Broker.Groups.Runtime;
using OrleansStream.Broker.Partitions;
using OrleansStream.Protocol;
using OrleansStream.Protocol.Records;
using OrleansStream.Storage.Ports;

namespace OrleansStream.Broker.Groups.Snapshots;

/// <summary>
/// Takes a snapshot of a partition of __consumer_offsets in the background whenever its log has grown enough: the last snapshot and the log behind it, both
/// read, none of the coordinator's memory. Only what is below the high watermark is in it, which no crash takes back; so whoever writes it, leader or not any
/// more, writes the truth.
/// </summary>
internal sealed class SnapshotTaker(RuntimePorts ports, IPartition partition, SnapshotStore store, ILogger log)
{
    private int _running;
    private long _next = long.MaxValue;
    private volatile bool _stopped;

    /// <summary>Begins to look at the log: <paramref name="covered"/> is where the snapshot ended that was loaded, <paramref name="records"/> what is in it.</summary>
    public void Begin(long covered, int records)
    {
        Volatile.Write(ref _next, covered + Math.Max(store.EveryRecords, records));
        Grown();
    }

    /// <summary>The high watermark may have moved. Called on the journal's loop.</summary>
    public void Grown()
    {
        if (_stopped || partition.HighWatermark < Volatile.Read(ref _next) || Interlocked.Exchange(ref _running, 1) != 0)
            return;
        ports.Scheduler.Start("group snapshot", RunAsync);
    }

    public void Stop() => _stopped = true;

    private async Task RunAsync()
    {
        var every = store.EveryRecords;
        try
        {
            if (await TakeAsync() is { } survivors)
                every = Math.Max(every, survivors);
        }
        catch (CorruptRecordsException e)
        {
            log.LogError("No snapshot of the groups of {Partition} can be taken: {Reason}", partition.Id, e.Message);
        }
        catch (IOException e)
        {
            log.LogWarning("No snapshot of the groups of {Partition} could be taken now; the next one is after {Count} records more: {Reason}", partition.Id, every, e.Message);
        }
        // Also where it failed: the next one is as much better as the log has grown by then.
        Volatile.Write(ref _next, partition.HighWatermark + every);
        Volatile.Write(ref _running, 0);
    }

    /// <summary>Answers how many records survived; null where there was nothing to do, or the partition is led elsewhere by now.</summary>
    private async ValueTask<int?> TakeAsync()
    {
        var (snapshot, found) = await store.ReadAsync(partition.Id, CancellationToken.None);
        var end = partition.HighWatermark;
        var survivors = new SurvivingRecords();
        var next = partition.LogStartOffset;
        if (snapshot is not null && snapshot.NextOffset <= end)
        {
            CoordinatorLog.Walk(new(snapshot.Batches), 0, survivors.Take);
            next = Math.Max(next, snapshot.NextOffset);
            if (next >= end)
                return survivors.Count;
        }
        while (next < end)
        {
            if (_stopped || !partition.Leads)
                return null;
            using var read = await partition.ReadAsync(
                new PartitionReadRequest(next, CoordinatorLog.ReadBytes, AtLeastOne: true, IsolationLevel.ReadUncommitted), CancellationToken.None);
            if (read.Error != ErrorCode.None)
                throw new IOException($"the log cannot be read at {next}: {read.Error}");
            // What is durable by now, but was not when this began, comes along.
            next = CoordinatorLog.Walk(read.Records, next, survivors.Take);
        }
        if (survivors.Bytes > SnapshotStore.MaxBytes)
        {
            log.LogWarning("The {Count} records that survive in {Partition} are too large for a snapshot; loading reads the whole log.", survivors.Count, partition.Id);
            return survivors.Count;
        }
        using var content = survivors.ToObject(partition.Id, next);
        if (await store.WriteAsync(partition.Id, next, content, found, CancellationToken.None))
            log.LogInformation("Snapshot of the groups of {Partition} up to offset {Next}: {Count} records.", partition.Id, next, survivors.Count);
        return survivors.Count;
    }
}
