using Microsoft.Extensions.Logging;
using OrleansStream.Broker.Groups.Records;
using OrleansStream.Broker.Partitions;
using OrleansStream.Protocol;
using OrleansStream.Protocol.Records;
using OrleansStream.Storage.Ports;

namespace OrleansStream.Broker.Groups.Runtime;

/// <summary>
/// Rebuilds a shard's state from its partition. What is below the high watermark is all there is: who loads has opened the partition under a new leader
/// epoch, and nobody else appends in it.
/// </summary>
internal sealed class ShardLoader(RuntimePorts ports, IPartition partition, ShardState state, ILogger log)
{
    private const int ReadBytes = 4 << 20;
    private const int MaxBatchBytes = 256 << 20;
    private static readonly TimeSpan FirstPause = TimeSpan.FromMilliseconds(50);
    private static readonly TimeSpan LongestPause = TimeSpan.FromSeconds(5);

    private byte[] _key = new byte[256];
    private byte[] _value = new byte[1024];
    private int _unknown;

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
                using var read = await partition.ReadAsync(
                    new PartitionReadRequest(next, ReadBytes, AtLeastOne: true, IsolationLevel.ReadUncommitted), CancellationToken.None);
                if (read.Error == ErrorCode.OffsetOutOfRange && partition.LogStartOffset > next)
                {
                    next = partition.LogStartOffset;
                    continue;
                }
                if (read.Error == ErrorCode.None)
                {
                    next = Replay(read.Records, next);
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

    /// <summary>Replays whole batches from <paramref name="from"/> on; answers where to go on.</summary>
    private long Replay(System.Buffers.ReadOnlySequence<byte> batches, long from)
    {
        while (RecordBatchHeader.TryRead(batches, out var header) && header.SizeInBytes <= batches.Length)
        {
            if (!header.IsControl && header.NextOffset > from)
            {
                using var records = OpenedRecords.Open(batches.Slice(0, header.SizeInBytes), MaxBatchBytes);
                foreach (var record in records)
                {
                    if (record.Offset >= from)
                        Replay(record);
                }
            }
            from = Math.Max(from, header.NextOffset);
            batches = batches.Slice(header.SizeInBytes);
        }
        return from;
    }

    private void Replay(in Record record)
    {
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
