using OrleansStream.Broker.Partitions;
using OrleansStream.Broker.Topics;
using OrleansStream.Protocol;
using OrleansStream.Storage;

namespace OrleansStream.Broker.Engine;

/// <summary>
/// The place of one partition in the engine: nothing, the partition that serves, or one that has stepped down and answers reads until the next is open.
/// At most one opening goes on at a time, and all who want the partition wait for that one.
/// </summary>
internal sealed class PartitionSlot(PartitionId id, string topic)
{
    private readonly Lock _lock = new();
    private Partition? _partition;
    private TaskCompletionSource<PartitionLease>? _opening;
    private bool _removed;
    private int _failures;
    private long _notBefore;
    private (TopicConfig? Config, short ReplicationFactor) _configured;

    public PartitionId Id => id;
    public string Topic => topic;

    /// <summary>What answers requests now; null where the partition was not opened yet.</summary>
    public Partition? Partition => Volatile.Read(ref _partition);

    /// <summary>
    /// Joins the opening that goes on, or begins one: then <paramref name="begin"/> is true and the caller opens and ends it with one of the methods
    /// below. Soon after a failure the answer is that failure, so that a thousand clients do not make a thousand tries.
    /// </summary>
    public Task<PartitionLease> Join(long now, bool again, out bool begin)
    {
        begin = false;
        lock (_lock)
        {
            if (_removed)
                return Task.FromResult(new PartitionLease(ErrorCode.UnknownTopicOrPartition, null));
            if (_opening is not null)
                return _opening.Task;
            if (_partition is not null && !again)
                return Task.FromResult(new PartitionLease(ErrorCode.None, _partition));
            if (now < _notBefore)
                return Task.FromResult(new PartitionLease(ErrorCode.KafkaStorageError, null));
            begin = true;
            _opening = new TaskCompletionSource<PartitionLease>(TaskCreationOptions.RunContinuationsAsynchronously);
            return _opening.Task;
        }
    }

    public void Opened(Partition partition, TopicConfig config, short replicationFactor)
    {
        TaskCompletionSource<PartitionLease> waiting;
        bool removed;
        lock (_lock)
        {
            Volatile.Write(ref _partition, partition);
            _configured = (config, replicationFactor);
            _failures = 0;
            _notBefore = 0;
            removed = _removed;
            (waiting, _opening) = (_opening!, null);
        }
        waiting.SetResult(removed ? new PartitionLease(ErrorCode.UnknownTopicOrPartition, null) : new PartitionLease(ErrorCode.None, partition));
    }

    /// <summary>Tells the partition what its topic's configuration is, where that is news.</summary>
    public void Configure(TopicConfig config, short replicationFactor)
    {
        lock (_lock)
        {
            if (_partition is null || _configured == (config, replicationFactor))
                return;
            _configured = (config, replicationFactor);
            _partition.Configure(config, replicationFactor);
        }
    }

    /// <summary>Answers the pause in milliseconds before the next try has a chance.</summary>
    public long Failed(ErrorCode error, long now)
    {
        TaskCompletionSource<PartitionLease> waiting;
        long pause;
        lock (_lock)
        {
            pause = Math.Min(50L << Math.Min(_failures++, 6), 2000);
            _notBefore = now + pause;
            (waiting, _opening) = (_opening!, null);
        }
        waiting.SetResult(new PartitionLease(error, null));
        return pause;
    }

    /// <summary>Nothing opens here any more; completes when an opening that was under way has ended.</summary>
    public async ValueTask RemoveAsync()
    {
        Task? opening;
        lock (_lock)
        {
            _removed = true;
            opening = _opening?.Task;
        }
        if (opening is not null)
            await opening;
    }

    public bool Removed
    {
        get
        {
            lock (_lock)
                return _removed;
        }
    }
}
