using OrleansStream.Protocol;

namespace OrleansStream.Broker.Groups.Consumer;

/// <summary>
/// One step of a member towards its target assignment (KIP-848): a member in, the next member out, or the same one where it has to wait. Pure: what other
/// members hold and which topics the member subscribes to are given.
/// </summary>
/// <param name="TargetEpoch">The epoch of the target assignment.</param>
/// <param name="Target">The member's part of the target assignment.</param>
/// <param name="SubscribedTopics">The ids of the topics that the member subscribes to now: it is never given another, whatever an older target says.</param>
/// <param name="SubscriptionChanged">Whether this very request changed the subscription.</param>
/// <param name="IsHeld">Whether any member holds a partition, this one included.</param>
/// <param name="Owned">What the member says it owns; null where it did not say.</param>
internal sealed record Reconciliation(
    int TargetEpoch,
    PartitionSet Target,
    IReadOnlySet<Guid> SubscribedTopics,
    bool SubscriptionChanged,
    Func<Guid, int, bool> IsHeld,
    PartitionSet? Owned)
{
    /// <summary>Throws <see cref="GroupException"/> for a member that has to begin anew.</summary>
    public ConsumerMember Next(ConsumerMember member)
    {
        switch (member.State)
        {
            // It has what its epoch gives. A newer target moves it on; without one, only what it no longer subscribes to is taken away.
            case MemberState.Stable:
                if (member.Epoch != TargetEpoch)
                    return Advance(member, member.Epoch);
                return SubscriptionChanged ? DropUnsubscribed(member) : member;

            // It waits for its own client, which gave the partitions up once it no longer reports them.
            case MemberState.UnrevokedPartitions:
                if (!StillOwns(member.Revoking))
                    return Advance(member, member.Epoch);
                return SubscriptionChanged ? DropUnsubscribed(member) : member;

            // It waits for other members: some partitions may be free by now.
            case MemberState.UnreleasedPartitions:
                return Advance(member, member.Epoch);

            // A newer program wrote a state that this one does not know: the member begins again with nothing.
            default:
                if (Owned is null || Owned.Count > 0)
                    throw new GroupException(
                        ErrorCode.FencedMemberEpoch,
                        "The consumer group member is in a unknown state. The member must abandon all its partitions and rejoin.");
                return Advance(member, TargetEpoch);
        }
    }

    private ConsumerMember Advance(ConsumerMember member, int epochWhileRevoking)
    {
        var kept = new OwnedPartitions.Builder();
        var revoked = new OwnedPartitions.Builder();
        var waits = false;

        // kept = assigned and in the target; revoked = assigned and not in the target
        foreach (var (topic, partition, epoch) in member.Assigned.All())
            (IsTarget(topic, partition) ? kept : revoked).Add(topic, partition, epoch);
        var revoking = revoked.Build();
        if (!revoking.IsEmpty && StillOwns(revoking))
        {
            return member.InEpoch(epochWhileRevoking) with
            {
                State = MemberState.UnrevokedPartitions,
                Assigned = kept.Build(),
                Revoking = revoking,
            };
        }

        // given = in the target, not assigned yet, and held by nobody else
        foreach (var (topic, partitions) in Target.Topics)
        {
            if (!SubscribedTopics.Contains(topic))
                continue;
            foreach (var partition in partitions)
            {
                if (member.Assigned.Contains(topic, partition))
                    continue;
                if (IsHeld(topic, partition) && !member.Revoking.Contains(topic, partition))
                    waits = true;
                else
                    kept.Add(topic, partition, TargetEpoch);
            }
        }
        return member.InEpoch(TargetEpoch) with
        {
            State = waits ? MemberState.UnreleasedPartitions : MemberState.Stable,
            Assigned = kept.Build(),
            Revoking = OwnedPartitions.Empty,
        };
    }

    /// <summary>Takes away what the member no longer subscribes to, without waiting for a new target assignment.</summary>
    private ConsumerMember DropUnsubscribed(ConsumerMember member)
    {
        if (member.Assigned.TopicIds.All(SubscribedTopics.Contains))
            return member;
        var kept = new OwnedPartitions.Builder();
        var revoked = new OwnedPartitions.Builder();
        foreach (var (topic, partition, epoch) in member.Revoking.All())
            revoked.Add(topic, partition, epoch);
        foreach (var (topic, partition, epoch) in member.Assigned.All())
            (SubscribedTopics.Contains(topic) ? kept : revoked).Add(topic, partition, epoch);
        var next = member.InEpoch(member.Epoch) with { Assigned = kept.Build() };
        var revoking = revoked.Build();
        return StillOwns(revoking) ? next with { State = MemberState.UnrevokedPartitions, Revoking = revoking } : next;
    }

    private bool IsTarget(Guid topic, int partition) => SubscribedTopics.Contains(topic) && Target.Contains(topic, partition);

    /// <summary>Whether the client may still own one of these: it says so, or does not say.</summary>
    private bool StillOwns(OwnedPartitions partitions)
    {
        if (Owned is null)
            return true;
        foreach (var (topic, numbers) in Owned.Topics)
        {
            foreach (var partition in numbers)
            {
                if (partitions.Contains(topic, partition))
                    return true;
            }
        }
        return false;
    }
}
