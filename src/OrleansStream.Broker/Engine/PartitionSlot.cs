using OrleansStream.Broker.Partitions;
using OrleansStream.Broker.Topics;
using OrleansStream.Protocol;
using OrleansStream.Storage;

namespace OrleansStream.Broker.Engine;

/// <summary>
/// The place of one partition in the engine: nothing, the partition that serves, or one that has stepped down and answers reads until the next is open.
/// At most one opening goes on at a time, and all who want the partition wait for that one. A slot ends once, when the partition is released or its topic
/// deleted; who leads the partition here again later gets another slot.
/// </summary>
internal sealed class PartitionSlot(PartitionId id, string topic)
{
    private readonly Lock _lock = new();
    private readonly TaskCompletionSource _ended = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource<int> _serving = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private Partition? _partition;
    private TaskCompletionSource<PartitionLease>? _next;
    private TaskCompletionSource? _opening;
    private ErrorCode _end;
    private int _failures;
    private long _notBefore;
    private (TopicConfig? Config, short ReplicationFactor) _configured;

    public PartitionId Id => id;
    public string Topic => topic;

    /// <summary>What answers requests now; null where the partition was not opened yet.</summary>
    public Partition? Partition => Volatile.Read(ref _partition);

    /// <summary>Completes when the partition serves for the first time, with its leader epoch; -1 where the slot ended before.</summary>
    public Task<int> Serving => _serving.Task;

    /// <summary>Completes when the slot has ended.</summary>
    public Task Ended => _ended.Task;

    /// <summary>Whether the slot is ending, or has ended.</summary>
    public bool IsEnding
    {
        get
        {
            lock (_lock)
                return _end != ErrorCode.None;
        }
    }

    /// <summary>
    /// Joins the opening that goes on, or begins one: then <paramref name="begin"/> is true and the caller opens and ends it with one of the methods
    /// below. Where it may not be opened yet, waits for who may. Soon after a failure the answer is that failure, so that a thousand clients do not
    /// make a thousand tries.
    /// </summary>
    public Task<PartitionLease> Join(long now, bool again, bool mayOpen, out bool begin)
    {
        begin = false;
        lock (_lock)
        {
            if (_partition is not null && !again)
                return Task.FromResult(new PartitionLease(ErrorCode.None, _partition));
            if (_end != ErrorCode.None)
                return Task.FromResult(new PartitionLease(_end, null));
            if (_opening is null && mayOpen)
            {
                if (now < _notBefore)
                    return Task.FromResult(new PartitionLease(ErrorCode.KafkaStorageError, null));
                begin = true;
                _opening = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            }
            _next ??= new TaskCompletionSource<PartitionLease>(TaskCreationOptions.RunContinuationsAsynchronously);
            return _next.Task;
        }
    }

    public void Opened(Partition partition, TopicConfig config, short replicationFactor)
    {
        lock (_lock)
        {
            Volatile.Write(ref _partition, partition);
            _configured = (config, replicationFactor);
            _failures = 0;
            _notBefore = 0;
            EndOpening(_end != ErrorCode.None ? new PartitionLease(_end, null) : new PartitionLease(ErrorCode.None, partition));
        }
        _serving.TrySetResult(partition.LeaderEpoch);
    }

    /// <summary>Answers the pause in milliseconds before the next try has a chance.</summary>
    public long Failed(ErrorCode error, long now)
    {
        lock (_lock)
        {
            var pause = Math.Min(50L << Math.Min(_failures++, 6), 2000);
            _notBefore = now + pause;
            EndOpening(new PartitionLease(error, null));
            return pause;
        }
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

    /// <summary>
    /// Nothing opens here any more; a partition that is there goes on answering until <see cref="End"/>, which the caller calls once the opening that was under
    /// way, if any, is over. False: somebody else is ending it.
    /// </summary>
    /// <param name="answer">What those get who come for the partition.</param>
    /// <param name="onlyUnused">Do it only where there is no partition and no opening.</param>
    public bool TryBeginEnd(ErrorCode answer, out Task opening, bool onlyUnused = false)
    {
        lock (_lock)
        {
            opening = _opening?.Task ?? Task.CompletedTask;
            if (_end != ErrorCode.None || (onlyUnused && (_opening is not null || _partition is not null)))
                return false;
            _end = answer;
            if (_opening is null)
                AnswerWaiting(new PartitionLease(answer, null));
            return true;
        }
    }

    public void End()
    {
        lock (_lock)
            Volatile.Write(ref _partition, null);
        _serving.TrySetResult(-1);
        _ended.TrySetResult();
    }

    private void EndOpening(PartitionLease answer)
    {
        AnswerWaiting(answer);
        _opening!.SetResult();
        _opening = null;
    }

    private void AnswerWaiting(PartitionLease answer)
    {
        _next?.SetResult(answer);
        _next = null;
    }
}
