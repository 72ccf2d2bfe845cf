using OrleansStream.Grains;

namespace OrleansStream.Client.Groups;

/// <summary>
/// The consumer groups of the cluster, for who looks after them; members themselves are Kafka consumers. Errors are <see cref="OrleansStreamException"/>s with
/// Kafka's codes. Thread-safe.
/// </summary>
public sealed class StreamGroups
{
    private const string OffsetsTopic = "__consumer_offsets";

    private readonly IGrainFactory _grains;
    private readonly Attempts _attempts;

    internal StreamGroups(IGrainFactory grains, Attempts attempts) => (_grains, _attempts) = (grains, attempts);

    /// <summary>All groups, in the order of their ids.</summary>
    public async Task<IReadOnlyList<ListedGroup>> ListAsync(CancellationToken cancel = default)
    {
        TopicOutcome offsets = await _attempts.UntilDoneAsync(
            () => _grains.GetGrain<ITopicGrain>(OffsetsTopic).DescribeAsync(),
            static o => ((ErrorCode)o.ErrorCode).IsOfTopic() ? (ErrorCode.None, null) : ((ErrorCode)o.ErrorCode, o.Message), cancel);
        GroupList[] lists = await Task.WhenAll(Enumerable.Range(0, offsets.Topic?.Partitions ?? 0).Select(partition => _attempts.UntilDoneAsync(
            () => _grains.GetGrain<IGroupPartitionGrain>(partition).ListAsync(), static l => ((ErrorCode)l.ErrorCode, l.Message), cancel)));
        return [.. lists.SelectMany(static l => l.Groups).OrderBy(static g => g.GroupId, StringComparer.Ordinal)];
    }

    /// <summary>The group with its members; null where there is none.</summary>
    public async Task<GroupInfo?> FindAsync(string groupId, CancellationToken cancel = default)
    {
        GroupDescription told = await _attempts.UntilDoneAsync(
            () => Grain(groupId).DescribeAsync(),
            static d => d.ErrorCode == (short)ErrorCode.GroupIdNotFound ? (ErrorCode.None, null) : ((ErrorCode)d.ErrorCode, d.Message), cancel);
        return told.Group;
    }

    /// <summary>How far the group is, by topic and partition. GROUP_ID_NOT_FOUND where there is none.</summary>
    public async Task<IReadOnlyList<PartitionLag>> LagAsync(string groupId, CancellationToken cancel = default)
    {
        GroupLag lag = await _attempts.UntilDoneAsync(() => Grain(groupId).LagAsync(), static l => ((ErrorCode)l.ErrorCode, l.Message) is { Item1: not ErrorCode.None } failed
            ? failed
            // A partition that moves answers soon; one that is gone does not come back.
            : (l.Partitions.Select(static p => (ErrorCode)p.ErrorCode).FirstOrDefault(static e => e.IsRetriable() && !e.IsOfTopic()), null), cancel);
        return lag.Partitions;
    }

    /// <summary>
    /// Sets the offsets of a group that has no members; UNKNOWN_MEMBER_ID while it has any. Answers what was set, which is durable.
    /// </summary>
    public async Task<IReadOnlyList<GroupOffset>> ResetAsync(string groupId, OffsetReset reset, CancellationToken cancel = default) =>
        await CommitAsync(groupId, await PlanResetAsync(groupId, reset, cancel), cancel);

    /// <summary>What <see cref="ResetAsync"/> would set.</summary>
    public async Task<IReadOnlyList<GroupOffset>> PlanResetAsync(string groupId, OffsetReset reset, CancellationToken cancel = default) =>
        (await _attempts.UntilDoneAsync(() => Grain(groupId).PlanResetAsync(reset), Outcome, cancel)).Offsets;

    /// <summary>Sets offsets that are named one by one, as <see cref="ResetAsync"/> does.</summary>
    public async Task<IReadOnlyList<GroupOffset>> CommitAsync(string groupId, IReadOnlyList<GroupOffset> offsets, CancellationToken cancel = default) =>
        (await _attempts.UntilDoneAsync(() => Grain(groupId).CommitAsync([.. offsets]), Outcome, cancel)).Offsets;

    /// <summary>
    /// Deletes a group without members, with its offsets; NON_EMPTY_GROUP while it has any. GROUP_ID_NOT_FOUND where there is none, which may also be said of one
    /// that an attempt has deleted whose answer was lost.
    /// </summary>
    public async Task DeleteAsync(string groupId, CancellationToken cancel = default) => await _attempts.UntilDoneAsync(
        () => Grain(groupId).DeleteAsync(), static o => ((ErrorCode)o.ErrorCode, o.Message), cancel);

    private IConsumerGroupGrain Grain(string groupId) => _grains.GetGrain<IConsumerGroupGrain>(groupId);

    // Retriable elsewhere; here the coordinator's silo says that a topic is not there.
    private static (ErrorCode, string?) Outcome(GroupOffsets offsets) => ((ErrorCode)offsets.ErrorCode).IsOfTopic()
        ? throw new OrleansStreamException((ErrorCode)offsets.ErrorCode, offsets.Message)
        : ((ErrorCode)offsets.ErrorCode, offsets.Message);
}
