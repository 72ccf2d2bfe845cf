using OrleansStream.Broker.Groups.Classic;
using OrleansStream.Broker.Groups.Records;
using OrleansStream.Broker.Groups.Runtime;
using OrleansStream.Protocol;
using OrleansStream.Protocol.Messages;
using OrleansStream.Protocol.Messages.Coordinators;

namespace OrleansStream.Broker.Groups.Offsets;

/// <summary>OffsetCommit, OffsetFetch and OffsetDelete of a shard's groups, and the expiry of offsets. Every method is called in a turn of the shard.</summary>
internal sealed class OffsetRequests(GroupShard shard)
{
    /// <summary>GROUP_ID_NOT_FOUND for a commit exists since this version of OffsetCommit; before it the client is told of a wrong generation.</summary>
    private const short KnowsMissingGroups = 9;

    private readonly OffsetExpiry _expiry = new(shard);

    public OffsetCommitResponse Commit(GroupClient client, OffsetCommitRequest request)
    {
        CheckCommit(client, request);
        var now = shard.NowMs;
        var expires = request.RetentionTimeMs < 0 ? -1 : now + request.RetentionTimeMs;
        var maxMetadata = shard.Settings.OffsetMetadataMaxBytes;
        var response = new OffsetCommitResponse();
        foreach (var topic in request.Topics)
        {
            var answered = new OffsetCommitResponse.OffsetCommitResponseTopic { Name = topic.Name, TopicId = topic.TopicId };
            foreach (var partition in topic.Partitions)
            {
                var error = partition.CommittedMetadata?.Length > maxMetadata ? ErrorCode.OffsetMetadataTooLarge : ErrorCode.None;
                if (error == ErrorCode.None)
                {
                    var offset = new CommittedOffset(
                        partition.CommittedOffset, partition.CommittedLeaderEpoch, partition.CommittedMetadata ?? "", now, expires, topic.TopicId);
                    Write(request.GroupId, topic.Name, partition.PartitionIndex, offset);
                }
                answered.Partitions.Add(new() { PartitionIndex = partition.PartitionIndex, ErrorCode = (short)error });
            }
            response.Topics.Add(answered);
        }
        return response;
    }

    private void CheckCommit(GroupClient client, OffsetCommitRequest request)
    {
        if (shard.State.Find(request.GroupId) is { } group)
        {
            group.CheckOffsetCommit(request.MemberId, request.GroupInstanceId, request.GenerationIdOrMemberEpoch, client.Version);
            foreach (var topic in request.Topics)
            {
                foreach (var partition in topic.Partitions)
                    group.CheckCommittedPartition(request.MemberId, request.GenerationIdOrMemberEpoch, topic.Name, topic.TopicId, partition.PartitionIndex);
            }
            group.OffsetsCommitted(request.MemberId);
        }
        else if (request.GenerationIdOrMemberEpoch >= 0)
        {
            throw client.Version >= KnowsMissingGroups
                ? new GroupException(ErrorCode.GroupIdNotFound, $"Group {request.GroupId} not found.")
                : new GroupException(ErrorCode.IllegalGeneration);
        }
    }

    private void Write(string group, string topic, int partition, in CommittedOffset offset) => shard.Write(
        CoordinatorRecord.Of(new OffsetCommitKey { Group = group, Topic = topic, Partition = partition }, offset.ToValue(), offset.ValueVersion));

    public void WriteTombstone(string group, string topic, int partition) =>
        shard.Write(CoordinatorRecord.Tombstone(new OffsetCommitKey { Group = group, Topic = topic, Partition = partition }));

    public OffsetFetchResponse.OffsetFetchResponseGroup Fetch(OffsetFetchRequest.OffsetFetchRequestGroup request)
    {
        var response = new OffsetFetchResponse.OffsetFetchResponseGroup { GroupId = request.GroupId };
        var group = shard.State.Find(request.GroupId);
        group?.CheckOffsetFetch(request.MemberId, request.MemberEpoch);
        if (request.Topics is null)
        {
            foreach (var (topic, partitions) in shard.State.Offsets.Of(request.GroupId))
            {
                var answered = new OffsetFetchResponse.OffsetFetchResponseTopics { Name = topic };
                foreach (var (partition, offset) in partitions)
                    answered.Partitions.Add(Found(partition, offset));
                response.Topics.Add(answered);
            }
            return response;
        }
        foreach (var topic in request.Topics)
        {
            var answered = new OffsetFetchResponse.OffsetFetchResponseTopics { Name = topic.Name, TopicId = topic.TopicId };
            answered.Partitions.EnsureCapacity(topic.PartitionIndexes.Length);
            foreach (var partition in topic.PartitionIndexes)
            {
                var offset = shard.State.Offsets.Find(request.GroupId, topic.Name, partition);
                answered.Partitions.Add(Found(partition, offset is { } there && there.IsOfAnother(topic.TopicId) ? null : offset));
            }
            response.Topics.Add(answered);
        }
        return response;
    }

    private static OffsetFetchResponse.OffsetFetchResponsePartitions Found(int partition, CommittedOffset? offset) => new()
    {
        PartitionIndex = partition,
        CommittedOffset = offset?.Offset ?? -1,
        CommittedLeaderEpoch = offset?.LeaderEpoch ?? -1,
        Metadata = offset?.Metadata ?? "",
    };

    public OffsetDeleteResponse Delete(OffsetDeleteRequest request)
    {
        var group = shard.State.Get(request.GroupId);
        group.CheckOffsetDelete();
        var response = new OffsetDeleteResponse();
        foreach (var topic in request.Topics)
        {
            var answered = new OffsetDeleteResponse.OffsetDeleteResponseTopic { Name = topic.Name };
            var subscribed = group.IsSubscribedTo(topic.Name);
            foreach (var partition in topic.Partitions)
            {
                if (!subscribed && shard.State.Offsets.Find(request.GroupId, topic.Name, partition.PartitionIndex) is not null)
                    WriteTombstone(request.GroupId, topic.Name, partition.PartitionIndex);
                answered.Partitions.Add(new()
                {
                    PartitionIndex = partition.PartitionIndex,
                    ErrorCode = (short)(subscribed ? ErrorCode.GroupSubscribedToTopic : ErrorCode.None),
                });
            }
            response.Topics.Add(answered);
        }
        return response;
    }

    /// <summary>Writes the tombstones of all of a group's offsets.</summary>
    public void DeleteAll(string group)
    {
        foreach (var (topic, partition) in All(group))
            WriteTombstone(group, topic, partition);
    }

    /// <summary>A topic was deleted: what was committed for it goes, whoever may still be subscribed.</summary>
    public void TopicDeleted(string topic)
    {
        foreach (var group in shard.State.Offsets.Groups.ToList())
        {
            if (!shard.State.Offsets.Of(group).TryGetValue(topic, out var partitions))
                continue;
            foreach (var partition in partitions.Keys.ToList())
                WriteTombstone(group, topic, partition);
        }
    }

    public void ScheduleExpiry() => _expiry.Schedule();

    private List<(string Topic, int Partition)> All(string group) =>
        [.. shard.State.Offsets.Of(group).SelectMany(t => t.Value.Keys.Select(p => (t.Key, p)))];
}
