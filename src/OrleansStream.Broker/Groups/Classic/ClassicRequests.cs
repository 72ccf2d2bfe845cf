using OrleansStream.Broker.Groups.Consumer;
using OrleansStream.Broker.Groups.Runtime;
using OrleansStream.Protocol;
using OrleansStream.Protocol.Messages;

namespace OrleansStream.Broker.Groups.Classic;

/// <summary>SyncGroup, Heartbeat and LeaveGroup; JoinGroup is <see cref="ClassicJoin"/>'s. Every method is called in a turn of the shard.</summary>
internal sealed class ClassicRequests
{
    private readonly GroupShard _shard;

    public ClassicRequests(GroupShard shard)
    {
        _shard = shard;
        Rebalance = new ClassicRebalance(shard);
        Joins = new ClassicJoin(shard, Rebalance);
    }

    public ClassicRebalance Rebalance { get; }
    public ClassicJoin Joins { get; }

    private ClassicGroup Find(string groupId) =>
        _shard.State.Find(groupId) as ClassicGroup ?? throw new GroupException(ErrorCode.UnknownMemberId);

    public void Sync(SyncGroupRequest request, Reply<SyncGroupResponse> reply)
    {
        if (_shard.State.Find(request.GroupId) is ConsumerGroup consumers)
        {
            reply.Answer(_shard.Consumers.Classic.Sync(consumers, request));
            return;
        }
        var group = Find(request.GroupId);
        var member = group.Validate(request.MemberId, request.GroupInstanceId);
        if (request.GenerationId != group.Generation)
            throw new GroupException(ErrorCode.IllegalGeneration);
        if (Differ(request.ProtocolType, group.ProtocolType) || Differ(request.ProtocolName, group.Protocol))
            throw new GroupException(ErrorCode.InconsistentGroupProtocol);
        if (group.State == ClassicState.PreparingRebalance)
            throw new GroupException(ErrorCode.RebalanceInProgress);
        Synced(group, member);
        if (group.State == ClassicState.Stable)
        {
            reply.Answer(ClassicRebalance.Assigned(group, member));
            return;
        }
        member.AwaitingSync?.Answer(new SyncGroupResponse { ErrorCode = (short)ErrorCode.RebalanceInProgress });
        member.AwaitingSync = reply;
        if (member == group.Members.Leader)
            Assign(group, member, request);
    }

    private static bool Differ(string? asked, string? actual) => asked is not null && actual is not null && asked != actual;

    private static void Synced(ClassicGroup group, ClassicMember member)
    {
        group.AwaitedSyncs.Remove(member.Id);
        if (group.AwaitedSyncs.Count == 0)
            group.SyncTimer.Cancel();
    }

    /// <summary>The leader has spoken: the group is stable as soon as that is in the log.</summary>
    private void Assign(ClassicGroup group, ClassicMember leader, SyncGroupRequest request)
    {
        var assignments = new Dictionary<string, byte[]>(StringComparer.Ordinal);
        foreach (var assigned in request.Assignments)
            assignments[assigned.MemberId] = assigned.Assignment;
        try
        {
            group.WriteMetadata(_shard, assignments);
        }
        catch (GroupException tooLarge)
        {
            // Nothing was decided; everybody is to try again, perhaps with less to say.
            foreach (var member in group.Members.All)
                member.Assignment = [];
            ClassicRebalance.Propagate(group, tooLarge.Error);
            Rebalance.Prepare(group, $"the assignment of leader {leader.Id} cannot be stored");
            return;
        }
        ClassicRebalance.Propagate(group, ErrorCode.None);
    }

    public HeartbeatResponse Heartbeat(HeartbeatRequest request)
    {
        if (_shard.State.Find(request.GroupId) is ConsumerGroup consumers)
            return _shard.Consumers.Classic.Heartbeat(consumers, request);
        var group = Find(request.GroupId);
        var member = group.Validate(request.MemberId, request.GroupInstanceId);
        if (request.GenerationId != group.Generation)
            throw new GroupException(ErrorCode.IllegalGeneration);
        group.Heard(member);
        return new HeartbeatResponse { ErrorCode = (short)(group.State == ClassicState.PreparingRebalance ? ErrorCode.RebalanceInProgress : ErrorCode.None) };
    }

    public LeaveGroupResponse Leave(LeaveGroupRequest request)
    {
        if (_shard.State.Find(request.GroupId) is ConsumerGroup consumers)
            return _shard.Consumers.Classic.Leave(consumers, request);
        var response = new LeaveGroupResponse();
        var group = _shard.State.Find(request.GroupId) as ClassicGroup;
        var left = false;
        foreach (var leaving in request.Members)
        {
            var error = group is null ? ErrorCode.UnknownMemberId : Leave(group, leaving);
            left |= error == ErrorCode.None;
            response.Members.Add(new() { MemberId = leaving.MemberId, GroupInstanceId = leaving.GroupInstanceId, ErrorCode = (short)error });
        }
        if (left && group!.State != ClassicState.Empty)
            Rebalance.Changed(group, "members have left");
        return response;
    }

    private static ErrorCode Leave(ClassicGroup group, LeaveGroupRequest.MemberIdentity leaving)
    {
        if (leaving.MemberId.Length > 0 && group.RemovePending(leaving.MemberId))
            return ErrorCode.None;
        try
        {
            // An administrator removes a static member by its instance id alone.
            var member = leaving.MemberId.Length == 0 && leaving.GroupInstanceId is { } instance
                ? group.Members.FindStatic(instance) ?? throw new GroupException(ErrorCode.UnknownMemberId)
                : group.Validate(leaving.MemberId, leaving.GroupInstanceId);
            ClassicRebalance.Remove(group, member);
            return ErrorCode.None;
        }
        catch (GroupException refused)
        {
            return refused.Error;
        }
    }
}
