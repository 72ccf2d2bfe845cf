using System.Buffers;
using OrleansStream.Broker.Partitions;
using OrleansStream.Grains;
using OrleansStream.Protocol.Records;

namespace OrleansStream.Silo.Grains;

/// <summary>Reads of a partition for callers in other processes: the bytes are copied, since they outlive the hold on hot memory.</summary>
internal static class PartitionReads
{
    /// <summary>Reads, waiting for the first record where there is none yet.</summary>
    public static async Task<PartitionRecords> ReadAsync(IPartition partition, PartitionReadWish wish, TimeSpan maxWait, CancellationToken cancel)
    {
        PartitionRecords records = await ReadOnceAsync(partition, wish, cancel);
        if (maxWait <= TimeSpan.Zero || !IsEmpty(records))
            return records;
        long deadline = Environment.TickCount64 + (long)maxWait.TotalMilliseconds;
        using var waiter = new Waiter(partition);
        while (true)
        {
            Task changed = waiter.Next();
            records = await ReadOnceAsync(partition, wish, cancel);
            long left = deadline - Environment.TickCount64;
            if (!IsEmpty(records) || left <= 0)
                return records;
            await changed.WaitAsync(TimeSpan.FromMilliseconds(left), cancel).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing | ConfigureAwaitOptions.ContinueOnCapturedContext);
            cancel.ThrowIfCancellationRequested();
        }
    }

    public static PartitionRecords Failed(ErrorCode error) => new((short)error, -1, -1, -1, ReadOnlyMemory<byte>.Empty);

    /// <summary>The offset after the last record of whole batches.</summary>
    public static long NextOffset(ReadOnlyMemory<byte> batches)
    {
        long next = -1;
        for (ReadOnlySpan<byte> rest = batches.Span; rest.Length > 0;)
        {
            RecordBatchHeader header = RecordBatchHeader.Read(rest);
            next = header.NextOffset;
            rest = rest[(int)header.SizeInBytes..];
        }
        return next;
    }

    private static bool IsEmpty(PartitionRecords records) => records.ErrorCode == 0 && records.Batches.IsEmpty && records.DivergingEpoch < 0;

    private static async ValueTask<PartitionRecords> ReadOnceAsync(IPartition partition, PartitionReadWish wish, CancellationToken cancel)
    {
        using PartitionRead read = await partition.ReadAsync(
            new PartitionReadRequest(
                wish.Offset, wish.MaxBytes, wish.AtLeastOne, wish.CommittedOnly ? IsolationLevel.ReadCommitted : IsolationLevel.ReadUncommitted,
                wish.CurrentLeaderEpoch, wish.LastFetchedEpoch),
            cancel);
        return new PartitionRecords((short)read.Error, read.HighWatermark, read.LastStableOffset, read.LogStartOffset, read.Records.ToArray())
        {
            DivergingEpoch = read.Diverging?.Epoch ?? -1,
            DivergingEndOffset = read.Diverging?.EndOffset ?? -1,
        };
    }

    private sealed class Waiter : IPartitionWatcher, IDisposable
    {
        private readonly IDisposable _watch;
        private TaskCompletionSource _changed = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public Waiter(IPartition partition) => _watch = partition.Watch(this);

        /// <summary>Completes when something changes from now on.</summary>
        public Task Next()
        {
            if (_changed.Task.IsCompleted)
                Volatile.Write(ref _changed, new(TaskCreationOptions.RunContinuationsAsynchronously));
            return _changed.Task;
        }

        public void Changed() => Volatile.Read(ref _changed).TrySetResult();

        public void Dispose() => _watch.Dispose();
    }
}
