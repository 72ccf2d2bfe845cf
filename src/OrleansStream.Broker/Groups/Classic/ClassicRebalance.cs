using Microsoft.Extensions.Logging;
using OrleansStream.Broker.Groups.Runtime;
using OrleansStream.Protocol;
using OrleansStream.Protocol.Messages;

namespace OrleansStream.Broker.Groups.Classic;

/// <summary>
/// How a group of the classic protocol comes to its next generation: everybody is asked to join (<see cref="Prepare"/>), all have or the time is over
/// (<see cref="Complete"/>), the leader speaks (<see cref="Propagate"/>). And what happens as time runs out for a member.
/// </summary>
internal sealed class ClassicRebalance(GroupShard shard)
{
    /// <summary>A member came, went or changed: a rebalance begins, or the one that goes on may be complete.</summary>
    public void Changed(ClassicGroup group, string reason)
    {
        if (group.State == ClassicState.PreparingRebalance)
            CompleteIfAllJoined(group);
        else
            Prepare(group, reason);
    }

    public void Prepare(ClassicGroup group, string reason)
    {
        if (group.State == ClassicState.CompletingRebalance)
        {
            foreach (var member in group.Members.All)
                member.Assignment = [];
            Propagate(group, ErrorCode.RebalanceInProgress);
        }
        group.AwaitedSyncs.Clear();
        group.SyncTimer.Cancel();
        var initial = group.State == ClassicState.Empty;
        group.MoveTo(ClassicState.PreparingRebalance);
        shard.Log.LogInformation("Group {Group} rebalances, generation {Generation}: {Reason}", group.Id, group.Generation, reason);
        if (initial)
        {
            // A fleet starts all at once: to wait a little spares it a rebalance for each of its members.
            var delay = shard.Settings.InitialRebalanceDelayMs;
            group.InitialDelay = (true, Math.Max(group.Members.RebalanceTimeoutMs - delay, 0), false);
            group.JoinTimer.Set(delay);
            return;
        }
        group.InitialDelay = default;
        if (group.AllJoined)
            Complete(group);
        else
            group.JoinTimer.Set(group.Members.RebalanceTimeoutMs);
    }

    public void CompleteIfAllJoined(ClassicGroup group)
    {
        // The first rebalance waits for its delay, whoever is there.
        if (group.State == ClassicState.PreparingRebalance && !group.InitialDelay.Running && group.AllJoined)
            Complete(group);
    }

    /// <summary>The time to join is over, or that of the initial delay, which is prolonged as long as members come.</summary>
    public void JoinTimeOver(ClassicGroup group)
    {
        var (running, remaining, somebodyCame) = group.InitialDelay;
        if (running && somebodyCame && remaining > 0)
        {
            var delay = Math.Min(shard.Settings.InitialRebalanceDelayMs, remaining);
            group.InitialDelay = (true, Math.Max(remaining - delay, 0), false);
            group.JoinTimer.Set(delay);
            return;
        }
        Complete(group);
    }

    public void Complete(ClassicGroup group)
    {
        group.JoinTimer.Cancel();
        // Static members may stay away until their session ends, and come back to what they had.
        foreach (var late in group.Members.All.Where(m => m.AwaitingJoin is null && m.InstanceId is null).ToList())
            group.Remove(late);
        if (group.Members.Count > 0 && !group.Members.ElectJoinedLeader())
        {
            // Nobody came back: wait on, until sessions end.
            group.JoinTimer.Set(group.Members.RebalanceTimeoutMs);
            return;
        }
        group.InitialDelay = default;
        group.BeginGeneration();
        if (group.IsEmpty)
        {
            shard.Log.LogInformation("Group {Group} is empty, generation {Generation}.", group.Id, group.Generation);
            group.WriteMetadata(shard);
            return;
        }
        shard.Log.LogInformation(
            "Group {Group} has generation {Generation} with {Count} members, protocol {Protocol}.", group.Id, group.Generation, group.Members.Count, group.Protocol);
        foreach (var member in group.Members.All)
        {
            group.AwaitedSyncs.Add(member.Id);
            group.Members.AnswerJoin(member, Current(group, member));
            group.Heard(member);
            member.IsNew = false;
        }
        group.SyncTimer.Set(group.Members.RebalanceTimeoutMs);
    }

    /// <summary>The generation that goes on, as a member of it is told; only the leader hears of the others.</summary>
    public static JoinGroupResponse Current(ClassicGroup group, ClassicMember member, bool skipAssignment = false)
    {
        var response = new JoinGroupResponse
        {
            GenerationId = group.Generation,
            ProtocolType = group.ProtocolType,
            ProtocolName = group.Protocol,
            Leader = group.Members.Leader?.Id ?? "",
            SkipAssignment = skipAssignment,
            MemberId = member.Id,
        };
        if (member == group.Members.Leader)
        {
            foreach (var other in group.Members.All)
                response.Members.Add(new() { MemberId = other.Id, GroupInstanceId = other.InstanceId, Metadata = other.MetadataOf(group.Protocol) ?? [] });
        }
        return response;
    }

    /// <summary>Answers everybody who waits for the leader: with the assignment, or an error.</summary>
    public static void Propagate(ClassicGroup group, ErrorCode error)
    {
        foreach (var member in group.Members.All)
        {
            if (member.AwaitingSync is not { } waiting)
                continue;
            member.AwaitingSync = null;
            waiting.Answer(error == ErrorCode.None ? Assigned(group, member) : new SyncGroupResponse { ErrorCode = (short)error });
            group.Heard(member);
        }
    }

    public static SyncGroupResponse Assigned(ClassicGroup group, ClassicMember member) =>
        new() { ProtocolType = group.ProtocolType, ProtocolName = group.Protocol, Assignment = member.Assignment };

    /// <summary>Nothing was heard of a member for its session time-out.</summary>
    public void SessionOver(ClassicGroup group, ClassicMember member)
    {
        if (member.IsWaiting || group.Members.Find(member.Id) != member)
            return;
        shard.Log.LogInformation("Member {Member} of group {Group} is silent and removed.", member.Id, group.Id);
        Remove(group, member);
        if (group.State is ClassicState.Stable or ClassicState.CompletingRebalance)
            Prepare(group, $"member {member.Id} was silent for its session time-out");
        else if (group.State == ClassicState.PreparingRebalance && group.AllJoined)
            Complete(group);
    }

    /// <summary>Takes a member out; a JoinGroup that waits in its name is told that it is unknown, so that it asks again if it lives.</summary>
    public static void Remove(ClassicGroup group, ClassicMember member)
    {
        group.Members.AnswerJoin(member, new JoinGroupResponse { ErrorCode = (short)ErrorCode.UnknownMemberId });
        if (member.AwaitingSync is { } waiting)
        {
            member.AwaitingSync = null;
            waiting.Answer(new SyncGroupResponse { ErrorCode = (short)ErrorCode.UnknownMemberId });
        }
        group.Remove(member);
    }

    /// <summary>Who was given an id did not come back with it.</summary>
    public void PendingTimeOver(ClassicGroup group, string memberId)
    {
        if (group.RemovePending(memberId) && group.State == ClassicState.PreparingRebalance && group.AllJoined)
            Complete(group);
    }

    /// <summary>Members that joined and did not ask for their assignment are as good as gone.</summary>
    public void SyncTimeOver(ClassicGroup group)
    {
        if (group.State is not (ClassicState.CompletingRebalance or ClassicState.Stable) || group.AwaitedSyncs.Count == 0)
            return;
        var gone = group.Members.All.Where(m => group.AwaitedSyncs.Contains(m.Id)).ToList();
        foreach (var member in gone)
            Remove(group, member);
        Prepare(group, $"{gone.Count} members did not ask for their assignment in time");
    }
}
