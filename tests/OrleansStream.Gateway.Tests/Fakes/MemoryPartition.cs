using System.Buffers;
using System.Buffers.Binary;
using OrleansStream.Broker.Partitions;
using OrleansStream.Protocol;
using OrleansStream.Storage;

namespace OrleansStream.Gateway.Tests.Fakes;

/// <summary>A list of record batches: offsets are assigned, nothing else is looked at.</summary>
internal sealed class MemoryPartition(MemoryEngine engine, PartitionId id) : IPartition
{
    private readonly Lock _lock = new();
    private readonly List<(long Base, long Next, byte[] Bytes)> _batches = [];
    private readonly List<IPartitionWatcher> _watchers = [];
    private readonly Queue<(TaskCompletionSource<AppendResult> Answer, AppendResult Result)> _held = new();
    private long _end;

    public PartitionId Id { get; } = id;
    public int LeaderEpoch => 0;
    public long LogStartOffset => 0;
    public long HighWatermark => Volatile.Read(ref _end);
    public long LastStableOffset => HighWatermark;
    public long SizeBytes => _batches.Sum(b => (long)b.Bytes.Length);

    /// <summary>Reads that were handed out and not yet disposed.</summary>
    public int OpenReads;

    /// <summary>How many watchers are registered now.</summary>
    public int Watchers
    {
        get
        {
            lock (_lock)
                return _watchers.Count;
        }
    }

    /// <summary>What the next append answers instead of being done.</summary>
    public ErrorCode FailWith { get; set; }

    public ValueTask<AppendResult> AppendAsync(ReadOnlySequence<byte> records, Acks acks, short produceVersion)
    {
        if (FailWith != ErrorCode.None)
            return ValueTask.FromResult(new AppendResult(FailWith));
        if (records.Length < 61)
            return ValueTask.FromResult(new AppendResult(ErrorCode.InvalidRecord, ErrorMessage: "no record batch"));
        byte[] bytes = records.ToArray();
        AppendResult result;
        IPartitionWatcher[] watchers;
        lock (_lock)
        {
            result = new AppendResult(ErrorCode.None, _end, LogStartOffset: 0);
            for (int at = 0; at < bytes.Length;)
            {
                int length = 12 + BinaryPrimitives.ReadInt32BigEndian(bytes.AsSpan(at + 8));
                int count = BinaryPrimitives.ReadInt32BigEndian(bytes.AsSpan(at + 57));
                BinaryPrimitives.WriteInt64BigEndian(bytes.AsSpan(at), _end);
                BinaryPrimitives.WriteInt32BigEndian(bytes.AsSpan(at + 12), 0);
                _batches.Add((_end, _end + count, bytes[at..(at + length)]));
                _end += count;
                at += length;
            }
            if (engine.HoldAppends && acks == Acks.All)
            {
                var answer = new TaskCompletionSource<AppendResult>(TaskCreationOptions.RunContinuationsAsynchronously);
                _held.Enqueue((answer, result));
                return new ValueTask<AppendResult>(answer.Task);
            }
            watchers = [.. _watchers];
        }
        foreach (IPartitionWatcher watcher in watchers)
            watcher.Changed();
        return ValueTask.FromResult(result);
    }

    /// <summary>Tells the watchers that something changed.</summary>
    public void Change()
    {
        IPartitionWatcher[] watchers;
        lock (_lock)
            watchers = [.. _watchers];
        foreach (IPartitionWatcher watcher in watchers)
            watcher.Changed();
    }

    /// <summary>Answers the oldest append that is held back: that it is done, or that it failed.</summary>
    public void Release(ErrorCode error = ErrorCode.None)
    {
        lock (_lock)
        {
            (TaskCompletionSource<AppendResult> answer, AppendResult result) = _held.Dequeue();
            answer.SetResult(error == ErrorCode.None ? result : new AppendResult(error));
        }
    }

    public int Held
    {
        get
        {
            lock (_lock)
                return _held.Count;
        }
    }

    public ValueTask<PartitionRead> ReadAsync(PartitionReadRequest request, CancellationToken cancel)
    {
        lock (_lock)
        {
            if (request.Offset < 0 || request.Offset > _end)
                return ValueTask.FromResult(new PartitionRead(ErrorCode.OffsetOutOfRange, _end, _end, 0, ReadOnlySequence<byte>.Empty));
            var bytes = new List<byte>();
            foreach ((_, long next, byte[] batch) in _batches)
            {
                if (next <= request.Offset)
                    continue;
                if (bytes.Count + batch.Length > request.MaxBytes && !(request.AtLeastOne && bytes.Count == 0))
                    break;
                bytes.AddRange(batch);
            }
            Interlocked.Increment(ref OpenReads);
            return ValueTask.FromResult(new PartitionRead(
                ErrorCode.None, _end, _end, 0, new ReadOnlySequence<byte>(bytes.ToArray()), new Disposal(() => Interlocked.Decrement(ref OpenReads))));
        }
    }

    public IDisposable Watch(IPartitionWatcher watcher)
    {
        lock (_lock)
            _watchers.Add(watcher);
        return new Disposal(() =>
        {
            lock (_lock)
                _watchers.Remove(watcher);
        });
    }

    public ValueTask<OffsetLookup> ListOffsetAsync(long timestamp, IsolationLevel isolation, int currentLeaderEpoch, CancellationToken cancel) =>
        ValueTask.FromResult(timestamp switch
        {
            -1 => new OffsetLookup(ErrorCode.None, -1, HighWatermark, 0),
            -2 => new OffsetLookup(ErrorCode.None, -1, 0, 0),
            _ => new OffsetLookup(ErrorCode.None),
        });

    /// <summary>What DescribeProducers answers.</summary>
    public ActiveProducers Producers { get; set; } = new(ErrorCode.None, []);

    public ValueTask<ActiveProducers> DescribeProducersAsync(CancellationToken cancel) => new(Producers);

    public ValueTask<long?> SizeAsync(CancellationToken cancel) => new(SizeBytes);

    public ValueTask<EpochEnd> EndOffsetForEpochAsync(int currentLeaderEpoch, int leaderEpoch, CancellationToken cancel) =>
        new(new EpochEnd(ErrorCode.None, 0, HighWatermark));

    private sealed class Disposal(Action dispose) : IDisposable
    {
        private Action? _dispose = dispose;

        public void Dispose() => Interlocked.Exchange(ref _dispose, null)?.Invoke();
    }
}
