using Microsoft.Extensions.Logging;
using OrleansStream.Broker.Groups.Classic;
using OrleansStream.Broker.Groups.Runtime;
using OrleansStream.Protocol;
using OrleansStream.Protocol.Messages;
using OrleansStream.Storage.Ports;

namespace OrleansStream.Broker.Groups.Consumer;

/// <summary>
/// ConsumerGroupHeartbeat: members join, stay, change, give partitions up, and leave; and what happens as time runs out for them. Every method is called in
/// a turn of the shard.
/// </summary>
internal sealed class ConsumerRequests
{
    private readonly GroupShard _shard;

    public ConsumerRequests(GroupShard shard)
    {
        _shard = shard;
        Migration = new GroupMigration(shard);
        Classic = new ClassicMembership(shard, this);
    }

    public GroupMigration Migration { get; }

    /// <summary>What members that speak the classic protocol ask of a consumer group.</summary>
    public ClassicMembership Classic { get; }

    /// <summary>The request is in order as such (<see cref="HeartbeatRules"/>).</summary>
    public ConsumerGroupHeartbeatResponse Heartbeat(GroupClient client, ConsumerGroupHeartbeatRequest request)
    {
        if (request.MemberEpoch is ConsumerMember.LeaveEpoch or ConsumerMember.StaticLeaveEpoch)
            return Leave(request);
        var joins = request.MemberEpoch == 0;
        var update = joins ? Migration.ToConsumer(request.GroupId) : new MemberUpdate(_shard, Find(request.GroupId));
        CheckRoom(update.Group, request.MemberId);
        var memberId = request.MemberId.Length > 0 ? request.MemberId : _shard.Random.NextGuid().ToString();
        var owned = OwnedBy(request);
        var member = request.InstanceId is null
            ? Dynamic(update.Group, memberId, request.MemberEpoch, owned)
            : Static(update, memberId, request.InstanceId, request.MemberEpoch, owned);
        var described = member with
        {
            InstanceId = request.InstanceId ?? member.InstanceId,
            RackId = request.RackId ?? member.RackId,
            RebalanceTimeoutMs = request.RebalanceTimeoutMs == -1 ? member.RebalanceTimeoutMs : request.RebalanceTimeoutMs,
            ServerAssignor = request.ServerAssignor ?? member.ServerAssignor,
            TopicNames = request.SubscribedTopicNames is { } names ? ConsumerMember.SortedNames(names) : member.TopicNames,
            TopicRegex = request.SubscribedTopicRegex ?? member.TopicRegex,
            ClientId = client.ClientId,
            ClientHost = client.ClientHost,
            Classic = null,
        };
        update.Subscribe(member, described);
        var next = update.Reconcile(described, update.Assign(described), owned);
        update.Write();
        if (_shard.State.Find(request.GroupId) is ConsumerGroup group && group.Find(next.Id) is { } live)
            group.Heard(live);

        var response = new ConsumerGroupHeartbeatResponse
        {
            MemberId = next.Id,
            MemberEpoch = next.Epoch,
            HeartbeatIntervalMs = _shard.GroupConfigs.HeartbeatIntervalMs(request.GroupId),
        };
        if (joins || IsFull(request) || !next.Assigned.SamePartitions(member.Assigned) || MayNotKnow(next))
            response.Assignment = AssignmentOf(next);
        return response;
    }

    /// <summary>It asks for a full answer: it is sent when the member joins, and should be after any error.</summary>
    private static bool IsFull(ConsumerGroupHeartbeatRequest request) =>
        request.RebalanceTimeoutMs != -1 && (request.SubscribedTopicNames ?? (object?)request.SubscribedTopicRegex) is not null && request.TopicPartitions is not null;

    /// <summary>
    /// A member that has still to give partitions up is told once more what it keeps. Kafka tells it once and relies on a full request after an answer that got lost;
    /// librdkafka 2.16 sends none when it gave up waiting for it, and the group would stand until the member's rebalance timeout. A client that is told what it knows
    /// does nothing.
    /// </summary>
    private static bool MayNotKnow(ConsumerMember member) => member.State == MemberState.UnrevokedPartitions;

    private static PartitionSet? OwnedBy(ConsumerGroupHeartbeatRequest request) => request.TopicPartitions is { } topics
        ? PartitionSet.From(topics.Select(t => (t.TopicId, (IEnumerable<int>)t.Partitions)))
        : null;

    private static ConsumerGroupHeartbeatResponse.AssignmentData AssignmentOf(ConsumerMember member)
    {
        var assignment = new ConsumerGroupHeartbeatResponse.AssignmentData();
        foreach (var topic in member.Assigned.TopicIds)
            assignment.TopicPartitions.Add(new() { TopicId = topic, Partitions = [.. member.Assigned.Of(topic).Keys] });
        return assignment;
    }

    /// <summary>Throws GROUP_ID_NOT_FOUND.</summary>
    private ConsumerGroup Find(string groupId) => _shard.State.Find(groupId) switch
    {
        ConsumerGroup group => group,
        null => throw new GroupException(ErrorCode.GroupIdNotFound, $"Group {groupId} not found."),
        _ => throw new GroupException(ErrorCode.GroupIdNotFound, $"Group {groupId} is not a consumer group."),
    };

    /// <summary>group.consumer.max.size</summary>
    public void CheckRoom(ConsumerGroup group, string memberId)
    {
        var max = _shard.Settings.Consumer.MaxSize;
        if (group.Members.Count >= max && group.Find(memberId) is null)
            throw new GroupException(ErrorCode.GroupMaxSizeReached, $"The consumer group has reached its maximum capacity of {max} members.");
    }

    private static ConsumerMember Dynamic(ConsumerGroup group, string memberId, int epoch, PartitionSet? owned)
    {
        var member = epoch == 0 ? group.Find(memberId) ?? new ConsumerMember(memberId) : group.Get(memberId);
        CheckEpoch(member, epoch, owned);
        return member;
    }

    private static ConsumerMember Static(MemberUpdate update, string memberId, string instanceId, int epoch, PartitionSet? owned)
    {
        var holder = update.Group.FindStatic(instanceId);
        if (epoch == 0)
        {
            if (holder is null)
                return update.Group.Find(memberId) ?? new ConsumerMember(memberId);
            if (!holder.IsClassic && holder.Epoch != ConsumerMember.StaticLeaveEpoch)
            {
                throw new GroupException(
                    ErrorCode.UnreleasedInstanceId,
                    $"Static member {memberId} with instance id {instanceId} cannot join the group because the instance id is owned by {holder.Id} member.");
            }
            return update.Replace(holder, memberId);
        }
        CheckStatic(holder, memberId, instanceId);
        CheckEpoch(holder, epoch, owned);
        return holder;
    }

    /// <summary>Throws UNKNOWN_MEMBER_ID where nobody has the instance id, and FENCED_INSTANCE_ID where somebody else has.</summary>
    public static void CheckStatic([System.Diagnostics.CodeAnalysis.NotNull] ConsumerMember? holder, string memberId, string instanceId)
    {
        if (holder is null)
            throw new GroupException(ErrorCode.UnknownMemberId, $"Instance id {instanceId} is unknown.");
        if (holder.Id != memberId)
            throw new GroupException(ErrorCode.FencedInstanceId, $"Static member {memberId} with instance id {instanceId} was fenced by member {holder.Id}.");
    }

    /// <summary>
    /// The epoch is the member's. The one before will do for a member that owns nothing but what it was given since: the answer with the new epoch was lost.
    /// Zero always will: the member begins again.
    /// </summary>
    private static void CheckEpoch(ConsumerMember member, int epoch, PartitionSet? owned)
    {
        if (epoch == 0 || epoch == member.Epoch)
            return;
        if (epoch == member.PreviousEpoch && epoch < member.Epoch && owned is not null && owned.Topics.All(t => t.Value.All(p => member.Assigned.Contains(t.Key, p))))
            return;
        throw new GroupException(
            ErrorCode.FencedMemberEpoch,
            $"The consumer group member has a {(epoch > member.Epoch ? "greater" : "smaller")} member epoch ({epoch}) than the one known by the group coordinator " +
            $"({member.Epoch}). The member must abandon all its partitions and rejoin.");
    }

    private ConsumerGroupHeartbeatResponse Leave(ConsumerGroupHeartbeatRequest request)
    {
        var group = Find(request.GroupId);
        ConsumerMember? member;
        if (request.InstanceId is { } instanceId)
        {
            member = group.FindStatic(instanceId);
            CheckStatic(member, request.MemberId, instanceId);
            if (request.MemberEpoch == ConsumerMember.StaticLeaveEpoch)
            {
                // It says it will be back, and finds its partitions until its session is over; they are its own from any epoch on then.
                var away = member with { Epoch = ConsumerMember.StaticLeaveEpoch, Revoking = OwnedPartitions.Empty, Assigned = member.Assigned.WithEpochs(0) };
                _shard.Write(ConsumerRecords.Assignment(group.Id, away));
                return new ConsumerGroupHeartbeatResponse { MemberId = member.Id, MemberEpoch = ConsumerMember.StaticLeaveEpoch };
            }
        }
        else
        {
            member = group.Get(request.MemberId);
        }
        _shard.Log.LogInformation("Member {Member} has left group {Group}.", member.Id, group.Id);
        Fence(group, [member]);
        return new ConsumerGroupHeartbeatResponse { MemberId = request.MemberId, MemberEpoch = request.MemberEpoch };
    }

    /// <summary>Takes members out; a group of which only classic members are left becomes a classic group, where that is allowed.</summary>
    public void Fence(ConsumerGroup group, IReadOnlyCollection<ConsumerMember> members)
    {
        if (members.Count == 0 || Migration.TryDowngrade(group, members))
            return;
        var update = new MemberUpdate(_shard, group);
        update.Remove(members);
        update.Write();
    }

    public void TimeOver(ConsumerGroup group, string memberId, MemberDeadline deadline)
    {
        if (_shard.State.Find(group.Id) != group || group.Find(memberId) is not { } member)
            return;
        if (deadline == MemberDeadline.Rebalance && member.State != MemberState.UnrevokedPartitions)
            return;
        var reason = deadline switch
        {
            MemberDeadline.Session => "its session is over",
            MemberDeadline.Rebalance => "it did not give up its partitions in time",
            MemberDeadline.Join => "it did not join again in time",
            _ => "it did not ask for its assignment in time",
        };
        _shard.Log.LogInformation("Member {Member} is removed from group {Group}: {Reason}.", memberId, group.Id, reason);
        Fence(group, [member]);
    }

    public ConsumerGroupDescribeResponse.DescribedGroup Describe(string groupId)
    {
        ConsumerGroup group;
        try
        {
            group = Find(groupId);
        }
        catch (GroupException missing)
        {
            return new() { GroupId = groupId, ErrorCode = (short)missing.Error, ErrorMessage = missing.Sentence };
        }
        var described = new ConsumerGroupDescribeResponse.DescribedGroup
        {
            GroupId = groupId,
            GroupState = group.StateName,
            GroupEpoch = group.Epoch,
            AssignmentEpoch = group.TargetEpoch,
            AssignorName = ConsumerGroup.PreferredAssignor(group.Members.Values) ?? _shard.Settings.Consumer.Assignors[0],
        };
        // An order of its own, whatever the order in which they came; Kafka's is that of a hash table, and its own test has the higher id first.
        foreach (var member in group.Members.Values.OrderByDescending(m => m.Id, StringComparer.Ordinal))
            described.Members.Add(Describe(group, member));
        return described;
    }

    private ConsumerGroupDescribeResponse.Member Describe(ConsumerGroup group, ConsumerMember member)
    {
        var holds = PartitionSet.From(member.Assigned.All().Concat(member.Revoking.All()).Select(p => (p.Topic, (IEnumerable<int>)[p.Partition])));
        var described = new ConsumerGroupDescribeResponse.Member
        {
            MemberId = member.Id,
            InstanceId = member.InstanceId,
            RackId = member.RackId,
            MemberEpoch = member.Epoch,
            ClientId = member.ClientId,
            ClientHost = member.ClientHost,
            SubscribedTopicRegex = member.TopicRegex,
            Assignment = Named(holds),
            TargetAssignment = Named(group.TargetOf(member.Id)),
            MemberType = (sbyte)(member.IsClassic ? 0 : 1),
        };
        described.SubscribedTopicNames.AddRange(member.TopicNames);
        return described;
    }

    /// <summary>Without topics that are gone: they have no name any more.</summary>
    private ConsumerGroupDescribeResponse.AssignmentData Named(PartitionSet partitions)
    {
        var named = new ConsumerGroupDescribeResponse.AssignmentData();
        foreach (var (id, numbers) in partitions.Topics)
        {
            if (_shard.Cluster.TopicsById.TryGetValue(id, out var topic))
                named.TopicPartitions.Add(new() { TopicId = id, TopicName = topic.Name, Partitions = numbers });
        }
        return named;
    }
}
