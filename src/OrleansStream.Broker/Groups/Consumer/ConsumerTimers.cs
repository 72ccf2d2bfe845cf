using OrleansStream.Broker.Groups.Runtime;

namespace OrleansStream.Broker.Groups.Consumer;

/// <summary>What a member of a consumer group may run out of time with.</summary>
internal enum MemberDeadline
{
    /// <summary>Nothing was heard of it.</summary>
    Session,

    /// <summary>It does not give up the partitions that it must.</summary>
    Rebalance,

    /// <summary>It speaks the classic protocol, was told to join again, and does not.</summary>
    Join,

    /// <summary>It speaks the classic protocol, joined, and does not ask for its assignment.</summary>
    Sync,
}

/// <summary>The deadlines of a consumer group's members. What falls due is handed to <paramref name="due"/> with the member's id.</summary>
internal sealed class ConsumerTimers(GroupShard shard, Action<string, MemberDeadline> due)
{
    private readonly Dictionary<(string Member, MemberDeadline Deadline), ShardTimer> _timers = [];

    public void Set(string member, MemberDeadline deadline, int delayMs)
    {
        if (!_timers.TryGetValue((member, deadline), out var timer))
        {
            _timers[(member, deadline)] = timer = new ShardTimer(shard, () =>
            {
                _timers.Remove((member, deadline));
                due(member, deadline);
            });
        }
        timer.Set(delayMs);
    }

    public void SetIfAbsent(string member, MemberDeadline deadline, int delayMs)
    {
        if (!_timers.ContainsKey((member, deadline)))
            Set(member, deadline, delayMs);
    }

    public void Cancel(string member, MemberDeadline deadline)
    {
        if (_timers.Remove((member, deadline), out var timer))
            timer.Cancel();
    }

    public void CancelAll(string member)
    {
        foreach (var deadline in Enum.GetValues<MemberDeadline>())
            Cancel(member, deadline);
    }

    public void CancelAll()
    {
        foreach (var timer in _timers.Values)
            timer.Cancel();
        _timers.Clear();
    }
}
