using OrleansStream.Broker.Groups.Classic;

namespace OrleansStream.Broker.Groups.Consumer;

/// <summary>How far a member is on its way to its target assignment; the numbers are those of ConsumerGroupCurrentMemberAssignmentValue.</summary>
internal enum MemberState : byte
{
    /// <summary>It has what its epoch gives it.</summary>
    Stable = 0,

    /// <summary>It must give partitions up before it may go on; it keeps its epoch until it says that it did.</summary>
    UnrevokedPartitions = 1,

    /// <summary>It is in the target's epoch, and waits for partitions that other members still hold.</summary>
    UnreleasedPartitions = 2,

    /// <summary>A state of a newer program.</summary>
    Unknown = 127,
}

/// <summary>A member of a consumer group (KIP-848), and what it owns. Immutable: each record or decision makes another.</summary>
internal sealed record ConsumerMember(string Id)
{
    /// <summary>The epoch of a member that left for good.</summary>
    public const int LeaveEpoch = -1;

    /// <summary>The epoch of a static member that said it would be back.</summary>
    public const int StaticLeaveEpoch = -2;

    public int Epoch { get; init; }

    /// <summary>The epoch before: a member whose answer was lost comes with it.</summary>
    public int PreviousEpoch { get; init; } = -1;

    public MemberState State { get; init; }
    public string? InstanceId { get; init; }
    public string? RackId { get; init; }

    /// <summary>How long the member may take to give partitions up, in milliseconds.</summary>
    public int RebalanceTimeoutMs { get; init; } = -1;

    public string ClientId { get; init; } = "";
    public string ClientHost { get; init; } = "";

    /// <summary>The topics it subscribed to by name: sorted, without doubles.</summary>
    public IReadOnlyList<string> TopicNames { get; init; } = [];

    /// <summary>The regular expression it subscribed with; empty for none.</summary>
    public string TopicRegex { get; init; } = "";

    public string? ServerAssignor { get; init; }

    public OwnedPartitions Assigned { get; init; } = OwnedPartitions.Empty;

    /// <summary>Partitions it must give up, and still holds as far as the coordinator knows.</summary>
    public OwnedPartitions Revoking { get; init; } = OwnedPartitions.Empty;

    /// <summary>Set for a member that speaks the classic protocol.</summary>
    public ClassicMemberMetadata? Classic { get; init; }

    public bool IsClassic => Classic is not null;

    /// <summary>Whether it has all that the target assignment of this epoch gives it.</summary>
    public bool IsReconciledTo(int targetEpoch) => State == MemberState.Stable && Epoch == targetEpoch;

    public ConsumerMember InEpoch(int epoch) => this with { Epoch = epoch, PreviousEpoch = Epoch };

    public static IReadOnlyList<string> SortedNames(IEnumerable<string> names) => [.. names.Distinct(StringComparer.Ordinal).Order(StringComparer.Ordinal)];

    /// <summary>Whether the part of the member that ConsumerGroupMemberMetadataValue holds is the same.</summary>
    public bool SameMetadata(ConsumerMember other) =>
        InstanceId == other.InstanceId && RackId == other.RackId && RebalanceTimeoutMs == other.RebalanceTimeoutMs
        && ClientId == other.ClientId && ClientHost == other.ClientHost && TopicRegex == other.TopicRegex && ServerAssignor == other.ServerAssignor
        && SameNames(other) && Equals(Classic, other.Classic);

    public bool SameNames(ConsumerMember other) => ReferenceEquals(TopicNames, other.TopicNames) || TopicNames.SequenceEqual(other.TopicNames, StringComparer.Ordinal);

    /// <summary>Whether the part of the member that ConsumerGroupCurrentMemberAssignmentValue holds is the same.</summary>
    public bool SameAssignment(ConsumerMember other) =>
        Epoch == other.Epoch && PreviousEpoch == other.PreviousEpoch && State == other.State && Assigned.Equals(other.Assigned) && Revoking.Equals(other.Revoking);
}

/// <summary>What a member that speaks the classic protocol told in its JoinGroup.</summary>
internal sealed record ClassicMemberMetadata(int SessionTimeoutMs, IReadOnlyList<ClassicProtocol> Protocols)
{
    public bool Equals(ClassicMemberMetadata? other) =>
        other is not null && SessionTimeoutMs == other.SessionTimeoutMs && Protocols.Count == other.Protocols.Count
        && Protocols.Zip(other.Protocols).All(p => p.First.Name == p.Second.Name && p.First.Metadata.AsSpan().SequenceEqual(p.Second.Metadata));

    public override int GetHashCode() => SessionTimeoutMs;
}
