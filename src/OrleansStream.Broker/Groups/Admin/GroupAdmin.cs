using OrleansStream.Broker.Engine;
using OrleansStream.Broker.Groups.Runtime;
using OrleansStream.Broker.Partitions;
using OrleansStream.Broker.Topics;
using OrleansStream.Protocol;
using OrleansStream.Protocol.Messages;
using OrleansStream.Storage;

namespace OrleansStream.Broker.Groups.Admin;

/// <summary>
/// What administrators of groups ask for, where Kafka leaves it to its tools to make it out of requests: one picture of a group whatever its protocol, how far
/// it is behind, other offsets for it. For groups that are coordinated here; the others get NOT_COORDINATOR, and errors are those of
/// <see cref="IGroupCoordinator"/>.
/// </summary>
public sealed class GroupAdmin
{
    private const long Latest = -1;
    private const long Earliest = -2;

    /// <summary>Of OffsetCommit: knows groups that are not there, and epochs of members.</summary>
    private const short CommitVersion = 9;

    /// <summary>Questions to partitions that are under way at once.</summary>
    private const int AskedAtOnce = 256;

    private static readonly GroupClient Nobody = new(CommitVersion, "", "");

    private readonly GroupCoordinator _groups;
    private readonly IEngine _engine;

    internal GroupAdmin(GroupCoordinator groups, IEngine engine) => (_groups, _engine) = (groups, engine);

    /// <summary>The partition of __consumer_offsets that a group belongs to; null while there is no such topic.</summary>
    public PartitionId? PartitionOf(string groupId) => _engine.Cluster.TopicsByName.TryGetValue(GroupCoordinator.OffsetsTopic, out var topic)
        ? new PartitionId(topic.Id, GroupCoordinator.PartitionOf(groupId, topic.Partitions.Count)) : null;

    /// <summary>A partition of __consumer_offsets; null where it has no such one.</summary>
    public PartitionId? OffsetsPartition(int index) =>
        _engine.Cluster.TopicsByName.TryGetValue(GroupCoordinator.OffsetsTopic, out var topic) && (uint)index < (uint)topic.Partitions.Count
            ? new PartitionId(topic.Id, index) : null;

    /// <summary>The group; GROUP_ID_NOT_FOUND where there is none.</summary>
    public ValueTask<GroupResult<GroupPicture>> DescribeAsync(string groupId) =>
        _groups.AskAsync<GroupPicture>(groupId, (shard, reply) => reply.Answer(GroupPictures.Of(shard, groupId)));

    /// <summary>The groups of one partition of __consumer_offsets, in the order of their names.</summary>
    public async ValueTask<GroupResult<IReadOnlyList<ListGroupsResponse.ListedGroup>>> ListAsync(int partition)
    {
        if (OffsetsPartition(partition) is null)
            return GroupResult<IReadOnlyList<ListGroupsResponse.ListedGroup>>.Of([]);
        var result = await _groups.AskPartitionAsync<List<ListGroupsResponse.ListedGroup>>(partition, static (shard, reply) => reply.Answer(shard.Admin.List([], [])));
        result.Value?.Sort(static (a, b) => string.CompareOrdinal(a.GroupId, b.GroupId));
        return new(result.Error, result.Value, result.Message);
    }

    /// <summary>How far the group is in every partition that it has an offset of, or a member: ordered by topic and partition.</summary>
    public async ValueTask<GroupResult<IReadOnlyList<PartitionProgress>>> LagAsync(string groupId, IPartitionOffsets partitions, CancellationToken cancel)
    {
        var (error, known, message) = await KnownAsync(groupId);
        if (known is null)
            return new(error, null, message);
        var owners = known.Picture.Members
            .SelectMany(m => m.Assigned.SelectMany(a => a.Partitions.Select(p => (Key: (a.Topic, Partition: p), m.MemberId))))
            .GroupBy(o => o.Key, o => o.MemberId).ToDictionary(o => o.Key, o => o.First());
        // The ends are asked for when the commits are known: no commit is ahead of its end.
        var keys = known.Committed.Keys.Union(owners.Keys).OrderBy(k => k.Topic, StringComparer.Ordinal).ThenBy(k => k.Partition).ToList();
        var ends = await LookUpAsync([.. keys.Select(k => (k, Latest))], partitions, cancel);
        return GroupResult<IReadOnlyList<PartitionProgress>>.Of(
        [
            .. keys.Select((key, i) =>
            {
                var committed = known.Committed.TryGetValue(key, out var offset);
                return new PartitionProgress(
                    key.Topic, key.Partition, ends[i].Error, committed ? offset.Offset : -1, committed ? offset.Metadata : "",
                    ends[i].Error == ErrorCode.None ? ends[i].Offset : -1, owners.GetValueOrDefault(key));
            }),
        ]);
    }

    /// <summary>
    /// The offsets that a reset would set. UNKNOWN_MEMBER_ID while the group has members, as for the commit itself; INVALID_REQUEST for a shift of what was never
    /// committed; otherwise the error of the first partition that could not be asked. A group that is not there is one without offsets.
    /// </summary>
    public async ValueTask<GroupResult<IReadOnlyList<GroupOffset>>> PlanResetAsync(
        string groupId, OffsetReset reset, IPartitionOffsets partitions, CancellationToken cancel)
    {
        var (error, known, message) = await KnownAsync(groupId);
        if (known is null && (error != ErrorCode.GroupIdNotFound || reset.Topics is null))
            return new(error, null, message);
        if (known is { Picture.Members.Count: > 0 })
            return HasMembers<IReadOnlyList<GroupOffset>>(groupId);
        var committed = known?.Committed ?? [];
        if (Choose(reset, committed, out var chosen) is { } missing)
            return new(ErrorCode.UnknownTopicOrPartition, null, missing);
        if (reset.Target == ResetTarget.Shift && chosen.FirstOrDefault(c => !committed.ContainsKey(c)) is { Topic: not null } never)
            return new(ErrorCode.InvalidRequest, null, $"Group {groupId} has no offset of partition {never.Topic}-{never.Partition} that could be shifted.");

        var earliest = await LookUpAsync([.. chosen.Select(c => (c, Earliest))], partitions, cancel);
        var latest = await LookUpAsync([.. chosen.Select(c => (c, Latest))], partitions, cancel);
        var timed = reset.Target == ResetTarget.Timestamp ? await LookUpAsync([.. chosen.Select(c => (c, reset.Value))], partitions, cancel) : latest;
        var planned = new List<GroupOffset>(chosen.Count);
        for (var i = 0; i < chosen.Count; i++)
        {
            var failed = new[] { earliest[i].Error, latest[i].Error, timed[i].Error }.FirstOrDefault(e => e != ErrorCode.None);
            if (failed != ErrorCode.None)
                return new(failed, null, $"Partition {chosen[i].Topic}-{chosen[i].Partition} does not say where it begins and ends.");
            var offset = reset.Target switch
            {
                ResetTarget.Earliest => earliest[i].Offset,
                ResetTarget.Latest => latest[i].Offset,
                ResetTarget.Timestamp => timed[i].Offset >= 0 ? timed[i].Offset : latest[i].Offset,
                ResetTarget.Shift => Within(Shifted(committed[chosen[i]].Offset, reset.Value)),
                ResetTarget.Offset => Within(reset.Value),
                _ => throw new ArgumentOutOfRangeException(nameof(reset)),
            };
            planned.Add(new GroupOffset(chosen[i].Topic, chosen[i].Partition, offset));

            long Within(long wanted) => Math.Max(earliest[i].Offset, Math.Min(wanted, latest[i].Offset));
        }
        return GroupResult<IReadOnlyList<GroupOffset>>.Of(planned);

        static long Shifted(long offset, long by) => by > long.MaxValue - offset ? long.MaxValue : offset + by;
    }

    /// <summary>Commits offsets for the group, in one decision. UNKNOWN_MEMBER_ID while it has members: they alone say where it stands.</summary>
    public async ValueTask<GroupResult<IReadOnlyList<GroupOffset>>> CommitAsync(string groupId, IReadOnlyList<GroupOffset> offsets)
    {
        var request = new OffsetCommitRequest { GroupId = groupId, GenerationIdOrMemberEpoch = -1 };
        foreach (var topic in offsets.GroupBy(o => o.Topic, StringComparer.Ordinal))
        {
            if (!_engine.Cluster.TopicsByName.TryGetValue(topic.Key, out var picture))
                return new(ErrorCode.UnknownTopicOrPartition, null, $"There is no topic {topic.Key}.");
            var committed = new OffsetCommitRequest.OffsetCommitRequestTopic { Name = topic.Key, TopicId = picture.Id };
            foreach (var offset in topic)
            {
                if ((uint)offset.Partition >= (uint)picture.Partitions.Count || offset.Offset < 0)
                    return new(ErrorCode.UnknownTopicOrPartition, null, $"There is no offset {offset.Offset} of a partition {topic.Key}-{offset.Partition}.");
                committed.Partitions.Add(new()
                {
                    PartitionIndex = offset.Partition, CommittedOffset = offset.Offset, CommittedLeaderEpoch = offset.LeaderEpoch, CommittedMetadata = offset.Metadata,
                });
            }
            request.Topics.Add(committed);
        }
        var response = await await _groups.BeginCommitAsync(Nobody, request);
        var error = response.Topics.SelectMany(t => t.Partitions).Select(p => (ErrorCode)p.ErrorCode).FirstOrDefault(e => e != ErrorCode.None);
        return error switch
        {
            ErrorCode.None => GroupResult<IReadOnlyList<GroupOffset>>.Of(offsets),
            ErrorCode.UnknownMemberId => HasMembers<IReadOnlyList<GroupOffset>>(groupId),
            _ => new(error, null),
        };
    }

    /// <summary>Deletes the group with its offsets. NON_EMPTY_GROUP while it has members, GROUP_ID_NOT_FOUND where there is none.</summary>
    public async ValueTask<ErrorCode> DeleteAsync(string groupId) => (ErrorCode)(await _groups.DeleteAsync([groupId]))[0].ErrorCode;

    private static GroupResult<T> HasMembers<T>(string groupId) =>
        new(ErrorCode.UnknownMemberId, default, $"Group {groupId} has members: its offsets can be reset when it has none.");

    private sealed record Known(GroupPicture Picture, Dictionary<(string Topic, int Partition), GroupOffset> Committed);

    /// <summary>The group and its offsets, of one moment.</summary>
    private ValueTask<GroupResult<Known>> KnownAsync(string groupId) => _groups.AskAsync<Known>(groupId, (shard, reply) => reply.Answer(new Known(
        GroupPictures.Of(shard, groupId),
        shard.Offsets.Fetch(new() { GroupId = groupId, MemberEpoch = -1, Topics = null }).Topics
            .SelectMany(t => t.Partitions.Select(p => new GroupOffset(t.Name, p.PartitionIndex, p.CommittedOffset, p.CommittedLeaderEpoch, p.Metadata ?? "")))
            .ToDictionary(o => (o.Topic, o.Partition)))));

    /// <summary>The partitions that a reset is about; answers what of them is not there.</summary>
    private string? Choose(OffsetReset reset, Dictionary<(string Topic, int Partition), GroupOffset> committed, out List<(string Topic, int Partition)> chosen)
    {
        if (reset.Topics is null)
        {
            chosen = [.. committed.Keys.OrderBy(k => k.Topic, StringComparer.Ordinal).ThenBy(k => k.Partition)];
            return null;
        }
        chosen = [];
        foreach (var (name, partitions) in reset.Topics)
        {
            if (!_engine.Cluster.TopicsByName.TryGetValue(name, out var topic))
                return $"There is no topic {name}.";
            foreach (var partition in partitions.Count > 0 ? partitions : Enumerable.Range(0, topic.Partitions.Count))
            {
                if ((uint)partition >= (uint)topic.Partitions.Count)
                    return $"Topic {name} has no partition {partition}.";
                chosen.Add((name, partition));
            }
        }
        chosen = [.. chosen.Distinct()];
        return null;
    }

    private async ValueTask<OffsetLookup[]> LookUpAsync(
        IReadOnlyList<((string Topic, int Partition) Of, long Timestamp)> asked, IPartitionOffsets partitions, CancellationToken cancel)
    {
        var found = new OffsetLookup[asked.Count];
        for (var from = 0; from < asked.Count; from += AskedAtOnce)
        {
            var some = Enumerable.Range(from, Math.Min(AskedAtOnce, asked.Count - from)).Select(i => (i, LookUp(asked[i]))).ToList();
            foreach (var (i, looking) in some)
                found[i] = await looking;
        }
        return found;

        Task<OffsetLookup> LookUp(((string Topic, int Partition) Of, long Timestamp) one) =>
            _engine.Cluster.TopicsByName.TryGetValue(one.Of.Topic, out TopicPicture? topic) && one.Of.Partition < topic.Partitions.Count
                ? partitions.ListOffsetAsync(new PartitionId(topic.Id, one.Of.Partition), one.Timestamp, cancel).AsTask()
                : Task.FromResult(new OffsetLookup(ErrorCode.UnknownTopicOrPartition));
    }
}
