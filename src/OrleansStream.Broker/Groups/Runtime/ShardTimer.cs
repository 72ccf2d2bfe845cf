namespace OrleansStream.Broker.Groups.Runtime;

/// <summary>
/// A deadline of a group. It falls due in a turn of its shard. Moving it further away, as every heartbeat does, is one assignment: the clock's timer stays
/// where it is and is set anew when it fires too early.
/// </summary>
internal sealed class ShardTimer(GroupShard shard, Action due)
{
    private const long Never = long.MaxValue;

    private ITimer? _clock;
    private long _dueAt = Never;
    private long _armedFor = Never;

    public bool IsSet => _dueAt != Never;

    /// <summary>Sets the deadline, in place of the one before.</summary>
    public void Set(long delayMs)
    {
        _dueAt = shard.MonotonicMs + Math.Max(0, delayMs);
        if (_armedFor > _dueAt)
            Arm(_dueAt);
    }

    public void Cancel()
    {
        _dueAt = Never;
        _armedFor = Never;
        if (_clock is null)
            return;
        _clock.Dispose();
        _clock = null;
        shard.Forget(this);
    }

    /// <summary>The clock's timer fired; called in a turn of the shard.</summary>
    public void Fired()
    {
        _armedFor = Never;
        if (_dueAt == Never)
            return;
        if (shard.MonotonicMs < _dueAt)
        {
            Arm(_dueAt);
            return;
        }
        Cancel();
        due();
    }

    private void Arm(long at)
    {
        _armedFor = at;
        var delay = TimeSpan.FromMilliseconds(Math.Max(1, at - shard.MonotonicMs));
        if (_clock is null)
        {
            _clock = shard.Time.CreateTimer(static timer => ((ShardTimer)timer!).Ring(), this, delay, Timeout.InfiniteTimeSpan);
            shard.Remember(this);
        }
        else
        {
            _clock.Change(delay, Timeout.InfiniteTimeSpan);
        }
    }

    // On the clock's thread.
    private void Ring() => shard.Post(Fired);
}
