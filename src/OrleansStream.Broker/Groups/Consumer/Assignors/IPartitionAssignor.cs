namespace OrleansStream.Broker.Groups.Consumer.Assignors;

/// <summary>A member as an assignor sees it.</summary>
/// <param name="Topics">The ids of the topics it subscribes to; only such as exist.</param>
/// <param name="Previous">Its part of the target assignment before this one.</param>
internal sealed record AssignorMember(string Id, string? InstanceId, IReadOnlySet<Guid> Topics, PartitionSet Previous);

/// <summary>What an assignor is given.</summary>
/// <param name="Partitions">The number of partitions of every topic that a member subscribes to.</param>
internal sealed record AssignmentTask(IReadOnlyList<AssignorMember> Members, IReadOnlyDictionary<Guid, int> Partitions)
{
    /// <summary>Whether all members subscribe to the same topics.</summary>
    public bool IsHomogeneous { get; } = Members.Skip(1).All(m => ReferenceEquals(m.Topics, Members[0].Topics) || m.Topics.SetEquals(Members[0].Topics));
}

/// <summary>Divides partitions among the members of a consumer group (KIP-848, group.consumer.assignors). Deterministic.</summary>
internal interface IPartitionAssignor
{
    /// <summary>The name by which members and settings ask for it.</summary>
    string Name { get; }

    /// <summary>Every partition of a topic with a subscriber goes to exactly one of its subscribers.</summary>
    IReadOnlyDictionary<string, PartitionSet> Assign(AssignmentTask task);
}
