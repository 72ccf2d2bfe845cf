using OrleansStream.Broker.Groups.Consumer;
using OrleansStream.Broker.Groups.Runtime;
using OrleansStream.Protocol;
using OrleansStream.Protocol.Messages;
using OrleansStream.Storage.Ports;

namespace OrleansStream.Broker.Groups.Classic;

/// <summary>
/// JoinGroup: new members (dynamic ones are given an id first and have to come back with it, KIP-394), members that come back for the next generation, and
/// static members that come back under their instance id (KIP-345).
/// </summary>
internal sealed class ClassicJoin(GroupShard shard, ClassicRebalance rebalance)
{
    /// <summary>JoinGroup from this version on: a dynamic member joins with an id that it was given before.</summary>
    private const short IdRequired = 4;

    /// <summary>JoinGroup from this version on: a leader can be told that nothing is to be assigned.</summary>
    private const short CanSkipAssignment = 9;

    public void Join(GroupClient client, JoinGroupRequest request, Reply<JoinGroupResponse> reply)
    {
        var isNew = request.MemberId.Length == 0;
        var protocols = ProtocolsOf(request);
        if (shard.State.Find(request.GroupId) is ConsumerGroup consumers)
        {
            if (!consumers.IsEmpty)
            {
                reply.Answer(JoinConsumers(consumers, client, request, protocols));
                return;
            }
            // Empty, it becomes what its next member speaks; it keeps its offsets.
            if (isNew && request.ProtocolType.Length > 0 && protocols.Count > 0)
                consumers.WriteTombstones(shard);
            else
                throw new GroupException(isNew ? ErrorCode.InconsistentGroupProtocol : ErrorCode.UnknownMemberId);
        }
        if (shard.State.Find(request.GroupId) is not { } found)
        {
            if (!isNew)
                throw new GroupException(ErrorCode.UnknownMemberId);
            if (request.ProtocolType.Length == 0 || protocols.Count == 0)
                throw new GroupException(ErrorCode.InconsistentGroupProtocol);
            found = Create(request.GroupId);
        }
        if (found is not ClassicGroup group)
            throw new GroupException(ErrorCode.InconsistentGroupProtocol);
        if (!HasRoom(group, request.MemberId))
        {
            if (group.Members.Find(request.MemberId) is { } tooMany)
                ClassicRebalance.Remove(group, tooMany);
            group.RemovePending(request.MemberId);
            throw new GroupException(ErrorCode.GroupMaxSizeReached);
        }
        if (!group.Accepts(request.ProtocolType, protocols))
            throw new GroupException(ErrorCode.InconsistentGroupProtocol);
        if (isNew)
            JoinNew(group, client, request, protocols, reply);
        else if (group.RemovePending(request.MemberId))
            Add(group, client, request, protocols, request.MemberId, reply);
        else
            JoinAgain(group, request, protocols, reply);
    }

    /// <summary>A group of the consumer protocol refuses without a member id, which a classic group gives back (but for GROUP_MAX_SIZE_REACHED).</summary>
    private JoinGroupResponse JoinConsumers(ConsumerGroup group, GroupClient client, JoinGroupRequest request, List<ClassicProtocol> protocols)
    {
        try
        {
            return shard.Consumers.Classic.Join(group, client, request, protocols);
        }
        catch (GroupException refused)
        {
            return new JoinGroupResponse { ErrorCode = (short)refused.Error };
        }
    }

    /// <summary>No name twice: the first counts.</summary>
    private static List<ClassicProtocol> ProtocolsOf(JoinGroupRequest request) =>
        [.. request.Protocols.DistinctBy(p => p.Name, StringComparer.Ordinal).Select(p => new ClassicProtocol(p.Name, p.Metadata))];

    /// <summary>A group is there, and durably so, before its first member is.</summary>
    private ClassicGroup Create(string groupId)
    {
        new ClassicGroup(shard, groupId).WriteMetadata(shard);
        return (ClassicGroup)shard.State.Get(groupId);
    }

    /// <summary>group.max.size. During a rebalance those count who have come back, so that the last to do so are turned away.</summary>
    private bool HasRoom(ClassicGroup group, string memberId)
    {
        var max = shard.Settings.MaxSize;
        return group.State switch
        {
            ClassicState.Empty => true,
            ClassicState.PreparingRebalance => group.Members.Find(memberId)?.AwaitingJoin is not null || group.Members.AwaitingJoin < max,
            _ => group.Members.Find(memberId) is not null || group.Members.Count < max,
        };
    }

    private void JoinNew(
        ClassicGroup group, GroupClient client, JoinGroupRequest request, List<ClassicProtocol> protocols, Reply<JoinGroupResponse> reply)
    {
        var id = $"{request.GroupInstanceId ?? client.ClientId}-{shard.Random.NextGuid()}";
        if (request.GroupInstanceId is { } instance && group.Members.FindStatic(instance) is { } before)
        {
            ReplaceStatic(group, client, request, protocols, before, id, reply);
        }
        else if (request.GroupInstanceId is null && client.Version >= IdRequired)
        {
            group.AddPending(id, request.SessionTimeoutMs);
            reply.Answer(new JoinGroupResponse { ErrorCode = (short)ErrorCode.MemberIdRequired, MemberId = id });
        }
        else
        {
            Add(group, client, request, protocols, id, reply);
        }
    }

    private void Add(
        ClassicGroup group, GroupClient client, JoinGroupRequest request, List<ClassicProtocol> protocols, string id, Reply<JoinGroupResponse> reply)
    {
        if (group.InitialDelay.Running)
            group.InitialDelay = group.InitialDelay with { SomebodyCame = true };
        var member = group.Add(id, request.GroupInstanceId, client, request.ProtocolType);
        member.IsNew = true;
        Update(group, member, request, protocols, reply);
        // Its client may have gone and joined again under another id: nobody sends heartbeats for it before its first generation.
        member.Session.Set(shard.Settings.NewMemberJoinTimeoutMs);
        rebalance.Changed(group, $"member {id} joins{Reason(request)}");
    }

    private static string Reason(JoinGroupRequest request) => request.Reason is { Length: > 0 } reason ? $" ({reason})" : "";

    private static void Update(
        ClassicGroup group, ClassicMember member, JoinGroupRequest request, List<ClassicProtocol> protocols, Reply<JoinGroupResponse> reply)
    {
        group.Members.SetProtocols(member, protocols);
        member.RebalanceTimeoutMs = request.RebalanceTimeoutMs;
        member.SessionTimeoutMs = request.SessionTimeoutMs;
        group.Members.Await(member, reply);
    }

    private void JoinAgain(ClassicGroup group, JoinGroupRequest request, List<ClassicProtocol> protocols, Reply<JoinGroupResponse> reply)
    {
        var member = group.Validate(request.MemberId, request.GroupInstanceId);
        // Whoever brings nothing new into a generation that goes on did not hear of it, and is told again. A stable group's leader comes to start a
        // rebalance, because it knows of changes that no member's metadata shows.
        if ((group.State == ClassicState.CompletingRebalance || (group.State == ClassicState.Stable && member != group.Members.Leader)) && member.Speaks(protocols))
        {
            reply.Answer(ClassicRebalance.Current(group, member));
            return;
        }
        Update(group, member, request, protocols, reply);
        rebalance.Changed(group, $"member {member.Id} joins again{Reason(request)}");
    }

    private void ReplaceStatic(
        ClassicGroup group, GroupClient client, JoinGroupRequest request, List<ClassicProtocol> protocols, ClassicMember before, string id,
        Reply<JoinGroupResponse> reply)
    {
        var oldLeader = group.Members.Leader?.Id ?? "";
        var member = group.Replace(before, id, client);
        Update(group, member, request, protocols, reply);
        group.Heard(member);
        switch (group.State)
        {
            case ClassicState.Stable when group.Members.SelectProtocol() == group.Protocol:
                // It gets back what it had: nobody else is disturbed.
                group.WriteMetadata(shard);
                var leads = member == group.Members.Leader;
                var current = ClassicRebalance.Current(group, member, skipAssignment: leads);
                if (client.Version < CanSkipAssignment)
                {
                    // An older client would assign anew if it heard that it leads.
                    (current.SkipAssignment, current.Leader) = (false, oldLeader);
                    current.Members.Clear();
                }
                group.Members.AnswerJoin(member, current);
                break;
            case ClassicState.Stable:
            case ClassicState.CompletingRebalance:
                rebalance.Prepare(group, $"static member {request.GroupInstanceId} is back as {id}{Reason(request)}");
                break;
            default:
                rebalance.CompleteIfAllJoined(group);
                break;
        }
    }
}
