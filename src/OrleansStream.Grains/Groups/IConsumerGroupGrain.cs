namespace OrleansStream.Grains;

/// <summary>
/// A consumer group, in the silo that coordinates it: the one that leads the group's partition of __consumer_offsets. The key is the group's id. Kafka's error
/// codes are in the answers; NOT_COORDINATOR, COORDINATOR_LOAD_IN_PROGRESS and COORDINATOR_NOT_AVAILABLE mean: call again. Members themselves speak Kafka's
/// protocol; this is for who looks after them.
/// </summary>
[Alias("OrleansStream.IConsumerGroupGrain")]
public interface IConsumerGroupGrain : IGrainWithStringKey
{
    /// <summary>State and members, whichever protocol these speak; GROUP_ID_NOT_FOUND where there is no such group.</summary>
    [Alias("Describe")]
    Task<GroupDescription> DescribeAsync();

    /// <summary>How far the group is, in every partition that it has an offset of, or a member.</summary>
    [Alias("Lag")]
    Task<GroupLag> LagAsync();

    /// <summary>
    /// The offsets that a reset would set, without setting them: <see cref="CommitAsync"/> does. UNKNOWN_MEMBER_ID while the group has members, INVALID_REQUEST for
    /// a shift of a partition without an offset.
    /// </summary>
    [Alias("PlanReset")]
    Task<GroupOffsets> PlanResetAsync(OffsetReset reset);

    /// <summary>
    /// Commits offsets in the group's name (OffsetCommit without a member); makes the group where there is none. UNKNOWN_MEMBER_ID while it has members. Durable
    /// when answered, and the same when called again.
    /// </summary>
    [Alias("Commit")]
    Task<GroupOffsets> CommitAsync(GroupOffset[] offsets);

    /// <summary>Deletes the group and its offsets (DeleteGroups, KIP-229). NON_EMPTY_GROUP while it has members, GROUP_ID_NOT_FOUND where there is none.</summary>
    [Alias("Delete")]
    Task<GroupOutcome> DeleteAsync();
}

/// <summary>
/// All groups that one partition of __consumer_offsets has, in the silo that leads it. The key is the partition's index; how many there are, the topic's grain says.
/// </summary>
[Alias("OrleansStream.IGroupPartitionGrain")]
public interface IGroupPartitionGrain : IGrainWithIntegerKey
{
    /// <summary>The groups in the order of their ids.</summary>
    [Alias("List")]
    Task<GroupList> ListAsync();
}
