using Microsoft.Extensions.Logging;
using OrleansStream.Broker.Groups.Records;
using OrleansStream.Broker.Groups.Snapshots;
using OrleansStream.Broker.Partitions;
using OrleansStream.Protocol;
using OrleansStream.Protocol.Records;
using OrleansStream.Storage.Ports;

namespace OrleansStream.Broker.Groups.Runtime;

/// <summary>
/// Rebuilds a shard's state from the snapshot of its partition, where there is one, and from the partition. What is below the high watermark is all there is:
/// who loads has opened the partition under a new leader epoch, and nobody else appends in it.
/// </summary>
internal sealed class ShardLoader(RuntimePorts ports, IPartition partition, ShardState state, SnapshotStore? snapshots, ILogger log)
{
    private static readonly TimeSpan FirstPause = TimeSpan.FromMilliseconds(50);
    private static readonly TimeSpan LongestPause = TimeSpan.FromSeconds(5);

    private byte[] _key = new byte[256];
    private byte[] _value = new byte[1024];
    private int _unknown;
    private bool _snapshotSeen;
    private int _count;

    /// <summary>Where the snapshot ended; 0 where there was none.</summary>
    public long Covered { get; private set; }

    /// <summary>How many records were in the snapshot.</summary>
    public int InSnapshot { get; private set; }

    /// <summary>How many records were read from the log.</summary>
    public int FromLog => _count - InSnapshot;

    /// <summary>Loads until done; answers why not where the partition is led here no more or cannot be understood.</summary>
    public async ValueTask<ErrorCode> LoadAsync(Func<bool> abandoned)
    {
        var next = partition.LogStartOffset;
        var pause = FirstPause;
        while (next < partition.HighWatermark)
        {
            if (abandoned() || !partition.Leads)
                return ErrorCode.NotCoordinator;
            try
            {
                if (!_snapshotSeen)
                {
                    next = Math.Max(next, await ReplaySnapshotAsync());
                    continue;
                }
                using var read = await partition.ReadAsync(
                    new PartitionReadRequest(next, CoordinatorLog.ReadBytes, AtLeastOne: true, IsolationLevel.ReadUncommitted), CancellationToken.None);
                if (read.Error == ErrorCode.OffsetOutOfRange && partition.LogStartOffset > next)
                {
                    next = partition.LogStartOffset;
                    continue;
                }
                if (read.Error == ErrorCode.None)
                {
                    next = CoordinatorLog.Walk(read.Records, next, Replay);
                    pause = FirstPause;
                    continue;
                }
                log.LogWarning("Groups of {Partition} cannot be loaded now: {Error}", partition.Id, read.Error);
            }
            catch (StoreUnavailableException e)
            {
                log.LogWarning("Groups of {Partition} cannot be loaded now: {Reason}", partition.Id, e.Message);
            }
            catch (Exception e) when (e is InvalidDataException or CorruptRecordsException)
            {
                log.LogCritical("Groups of {Partition} cannot be loaded, records from offset {Offset} on are not understood: {Reason}", partition.Id, next, e.Message);
                // Whoever asks begins again: not at once.
                await Task.Delay(LongestPause, ports.Time);
                return ErrorCode.CoordinatorNotAvailable;
            }
            await Task.Delay(pause, ports.Time);
            pause = pause * 2 > LongestPause ? LongestPause : pause * 2;
        }
        if (_unknown > 0)
            log.LogWarning("{Count} records of {Partition} are of types that this program does not know; they are left alone.", _unknown, partition.Id);
        return partition.Leads ? ErrorCode.None : ErrorCode.NotCoordinator;
    }

    /// <summary>Replays the snapshot of this log, where there is one; answers where it ends.</summary>
    private async ValueTask<long> ReplaySnapshotAsync()
    {
        var snapshot = snapshots is null ? null : (await snapshots.ReadAsync(partition.Id, CancellationToken.None)).Snapshot;
        _snapshotSeen = true;
        if (snapshot is null)
            return 0;
        if (snapshot.NextOffset > partition.HighWatermark)
        {
            log.LogError(
                "The snapshot of the groups of {Partition} goes to offset {Next}, its log to {End}: it is of another log, and left alone.",
                partition.Id, snapshot.NextOffset, partition.HighWatermark);
            return 0;
        }
        CoordinatorLog.Walk(new(snapshot.Batches), 0, Replay);
        (Covered, InSnapshot) = (snapshot.NextOffset, _count);
        return Covered;
    }

    private void Replay(in Record record)
    {
        _count++;
        // Strings and bytes are copied out of these when they are read.
        var key = Keep(record.Key, ref _key);
        var value = Keep(record.Value, ref _value);
        if (RecordCodec.TryRead(key, value, record.HasValue, out var read))
            state.Replay(read);
        else
            _unknown++;
    }

    private static ReadOnlyMemory<byte> Keep(ReadOnlySpan<byte> bytes, ref byte[] buffer)
    {
        if (buffer.Length < bytes.Length)
            buffer = new byte[bytes.Length * 2];
        bytes.CopyTo(buffer);
        return buffer.AsMemory(0, bytes.Length);
    }
}
