using OrleansStream.Broker.Groups.Classic;
using OrleansStream.Broker.Groups.Runtime;
using OrleansStream.Protocol;
using OrleansStream.Protocol.Messages;
using OrleansStream.Storage.Ports;

namespace OrleansStream.Broker.Groups.Consumer;

/// <summary>
/// Members of a consumer group that speak the classic protocol (KIP-848): the coordinator assigns for them as well. A JoinGroup is a step towards the
/// target and tells the new epoch as generation, a SyncGroup tells what is assigned, and a Heartbeat says when to join again.
/// </summary>
internal sealed class ClassicMembership(GroupShard shard, ConsumerRequests requests)
{
    /// <summary>JoinGroup from this version on: a dynamic member joins with an id that it was given before.</summary>
    private const short IdRequired = 4;

    public JoinGroupResponse Join(ConsumerGroup group, GroupClient client, JoinGroupRequest request, IReadOnlyList<ClassicProtocol> protocols)
    {
        if (shard.Settings.Consumer.Migration == MigrationPolicy.Disabled)
            throw new GroupException(ErrorCode.InconsistentGroupProtocol);
        var isNew = request.MemberId.Length == 0;
        var memberId = isNew ? shard.Random.NextGuid().ToString() : request.MemberId;
        requests.CheckRoom(group, memberId);
        if (!Accepts(group, request.ProtocolType, protocols))
            throw new GroupException(ErrorCode.InconsistentGroupProtocol);
        if (isNew && request.GroupInstanceId is null && client.Version >= IdRequired)
            return new JoinGroupResponse { ErrorCode = (short)ErrorCode.MemberIdRequired, MemberId = memberId };

        var update = new MemberUpdate(shard, group);
        var replaced = request.GroupInstanceId is { } instance ? group.FindStatic(instance) : null;
        var downgrades = replaced is not null && requests.Migration.WouldDowngrade(group, replaced);
        var subscription = ConsumerProtocol.ReadSubscription(protocols[0].Metadata);
        var member = Member(update, request, memberId, isNew);
        var described = member with
        {
            InstanceId = request.GroupInstanceId ?? member.InstanceId,
            RackId = subscription.RackId ?? member.RackId,
            RebalanceTimeoutMs = request.RebalanceTimeoutMs == -1 ? member.RebalanceTimeoutMs : request.RebalanceTimeoutMs,
            TopicNames = ConsumerMember.SortedNames(subscription.Topics),
            TopicRegex = "",
            ClientId = client.ClientId,
            ClientHost = client.ClientHost,
            Classic = new ClassicMemberMetadata(request.SessionTimeoutMs, protocols),
        };
        update.Subscribe(member, described);
        var owned = ConsumerProtocol.ToPartitions(subscription.OwnedPartitions.Select(t => (t.Topic, t.Partitions)), shard.Cluster);
        var next = update.Reconcile(described, update.Assign(described), owned);
        update.Write();

        var live = (ConsumerGroup)shard.State.Get(group.Id);
        live.Timers.Cancel(next.Id, MemberDeadline.Join);
        if (downgrades)
        {
            requests.Migration.Downgrade(live, stale: live.TargetEpoch < live.Epoch);
        }
        else
        {
            live.Heard(live.Get(next.Id));
            live.Timers.Set(next.Id, MemberDeadline.Sync, request.RebalanceTimeoutMs);
        }
        return new JoinGroupResponse
        {
            MemberId = next.Id, GenerationId = next.Epoch, ProtocolType = ConsumerProtocol.Type, ProtocolName = protocols[0].Name,
        };
    }

    /// <summary>Whether the member speaks a protocol that all classic members speak, in case it is needed again.</summary>
    private static bool Accepts(ConsumerGroup group, string protocolType, IReadOnlyList<ClassicProtocol> protocols)
    {
        var classic = group.Members.Values.Where(m => m.IsClassic).ToList();
        return protocolType == ConsumerProtocol.Type && protocols.Any(p => classic.All(m => m.Classic!.Protocols.Any(o => o.Name == p.Name)));
    }

    private static ConsumerMember Member(MemberUpdate update, JoinGroupRequest request, string memberId, bool isNew)
    {
        var group = update.Group;
        if (request.GroupInstanceId is not { } instance)
            return group.Find(memberId) ?? new ConsumerMember(memberId);
        var holder = group.FindStatic(instance);
        if (isNew)
            return holder is null ? new ConsumerMember(memberId) : update.Replace(holder, memberId);
        ConsumerRequests.CheckStatic(holder, memberId, instance);
        return holder;
    }

    public SyncGroupResponse Sync(ConsumerGroup group, SyncGroupRequest request)
    {
        var member = Find(group, request.MemberId, request.GroupInstanceId);
        CheckGeneration(member, request.GenerationId);
        var protocol = member.Classic!.Protocols[0];
        if ((request.ProtocolType is { } type && type != ConsumerProtocol.Type) || (request.ProtocolName is { } name && name != protocol.Name))
            throw new GroupException(ErrorCode.InconsistentGroupProtocol);
        // A member that still has to revoke has joined already: its next rebalance comes by itself.
        if (group.TargetEpoch > member.Epoch && member.State != MemberState.UnrevokedPartitions)
        {
            group.Timers.SetIfAbsent(member.Id, MemberDeadline.Join, member.RebalanceTimeoutMs);
            throw new GroupException(ErrorCode.RebalanceInProgress);
        }
        group.Timers.Cancel(member.Id, MemberDeadline.Sync);
        group.Heard(member);
        return new SyncGroupResponse
        {
            ProtocolType = request.ProtocolType,
            ProtocolName = request.ProtocolName,
            Assignment = ConsumerProtocol.WriteAssignment(
                member.Assigned.TopicIds.Select(t => (t, (IEnumerable<int>)member.Assigned.Of(t).Keys)), shard.Cluster, protocol.Metadata),
        };
    }

    public HeartbeatResponse Heartbeat(ConsumerGroup group, HeartbeatRequest request)
    {
        var member = Find(group, request.MemberId, request.GroupInstanceId);
        CheckGeneration(member, request.GenerationId);
        group.Heard(member);
        // It has to join again to catch up, to give partitions up, or to be given what others have given up since.
        var joinAgain = member.Epoch < group.TargetEpoch
            || member.State == MemberState.UnrevokedPartitions
            || (member.State == MemberState.UnreleasedPartitions && !group.WaitsForOthers(member));
        if (!joinAgain)
            return new HeartbeatResponse();
        group.Timers.SetIfAbsent(member.Id, MemberDeadline.Join, member.RebalanceTimeoutMs);
        return new HeartbeatResponse { ErrorCode = (short)ErrorCode.RebalanceInProgress };
    }

    /// <summary>LeaveGroup: also an administrator's, who removes static members by their instance ids.</summary>
    public LeaveGroupResponse Leave(ConsumerGroup group, LeaveGroupRequest request)
    {
        var response = new LeaveGroupResponse();
        var gone = new Dictionary<string, ConsumerMember>(StringComparer.Ordinal);
        foreach (var leaving in request.Members)
        {
            var error = ErrorCode.None;
            try
            {
                var member = leaving.GroupInstanceId is null ? group.Get(leaving.MemberId) : group.FindStatic(leaving.GroupInstanceId);
                if (leaving.GroupInstanceId is { } instance)
                    ConsumerRequests.CheckStatic(member, leaving.MemberId.Length == 0 && member is not null ? member.Id : leaving.MemberId, instance);
                gone[member!.Id] = member;
            }
            catch (GroupException refused)
            {
                error = refused.Error;
            }
            response.Members.Add(new() { MemberId = leaving.MemberId, GroupInstanceId = leaving.GroupInstanceId, ErrorCode = (short)error });
        }
        requests.Fence(group, gone.Values);
        return response;
    }

    /// <summary>Throws UNKNOWN_MEMBER_ID (also for one that speaks the consumer protocol) and FENCED_INSTANCE_ID.</summary>
    private static ConsumerMember Find(ConsumerGroup group, string memberId, string? instanceId)
    {
        var member = instanceId is null ? group.Get(memberId) : group.FindStatic(instanceId);
        if (instanceId is not null)
            ConsumerRequests.CheckStatic(member, memberId, instanceId);
        return member!.IsClassic ? member : throw new GroupException(ErrorCode.UnknownMemberId);
    }

    private static void CheckGeneration(ConsumerMember member, int generation)
    {
        if (member.Epoch != generation)
            throw new GroupException(ErrorCode.IllegalGeneration);
    }
}
