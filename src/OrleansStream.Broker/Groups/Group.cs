using OrleansStream.Broker.Groups.Runtime;

namespace OrleansStream.Broker.Groups;

/// <summary>Kafka's types of groups.</summary>
internal enum GroupType
{
    Classic,
    Consumer,
}

/// <summary>
/// One group in its coordinator's memory. What must last is in records and comes back by replaying them; the rest (who waits, timers) is lost with the
/// coordinator, and members are asked to join again. Only ever touched in its shard's turn.
/// </summary>
internal abstract class Group(string id)
{
    public string Id { get; } = id;
    public abstract GroupType Type { get; }

    /// <summary>The type as ListGroups names it.</summary>
    public string TypeName => Type switch
    {
        GroupType.Classic => "classic",
        GroupType.Consumer => "consumer",
        _ => throw new InvalidOperationException($"{Type} has no name"),
    };

    /// <summary>The state by Kafka's name, as ListGroups and DescribeGroups show it.</summary>
    public abstract string StateName { get; }

    /// <summary>"consumer" for consumers, whatever the protocol; empty where no member ever joined.</summary>
    public abstract string ProtocolTypeName { get; }

    /// <summary>Whether no member is left.</summary>
    public abstract bool IsEmpty { get; }

    /// <summary>Whether a commit of this member may be taken; throws <see cref="GroupException"/>.</summary>
    public abstract void CheckOffsetCommit(string memberId, string? instanceId, int generation, short version);

    /// <summary>Whether the commit counts for a partition; throws <see cref="GroupException"/>. Called after <see cref="CheckOffsetCommit"/>.</summary>
    public virtual void CheckCommittedPartition(string memberId, int generation, string topic, Guid topicId, int partition) { }

    /// <summary>Called once a commit was found right: in the classic protocol it counts as a heartbeat.</summary>
    public virtual void OffsetsCommitted(string memberId) { }

    /// <summary>Whether this member may read offsets; throws <see cref="GroupException"/>.</summary>
    public abstract void CheckOffsetFetch(string? memberId, int memberEpoch);

    /// <summary>Whether offsets may be deleted; throws <see cref="GroupException"/>.</summary>
    public abstract void CheckOffsetDelete();

    /// <summary>Whether the group may be deleted; throws <see cref="GroupException"/>.</summary>
    public abstract void CheckDelete();

    public abstract bool IsSubscribedTo(string topic);

    /// <summary>
    /// Since when an offset that was committed at <paramref name="commitTimestamp"/> is unused, in Unix milliseconds; null where it does not expire now.
    /// </summary>
    public abstract long? UnusedSince(long commitTimestamp);

    /// <summary>Writes the tombstones that remove the group.</summary>
    public abstract void WriteTombstones(IRecordSink records);

    /// <summary>The coordinator has just loaded: timers begin anew.</summary>
    public abstract void Loaded();
}
