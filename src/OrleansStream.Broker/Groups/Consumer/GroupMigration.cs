using Microsoft.Extensions.Logging;
using OrleansStream.Broker.Groups.Classic;
using OrleansStream.Broker.Groups.Records;
using OrleansStream.Broker.Groups.Runtime;
using OrleansStream.Protocol;
using OrleansStream.Protocol.Messages.Coordinators;

namespace OrleansStream.Broker.Groups.Consumer;

/// <summary>
/// Groups that change their protocol while they have members (KIP-848, group.consumer.migration.policy). A classic group becomes a consumer group with the
/// first member that speaks the consumer protocol, and its members stay in it as classic members; it becomes a classic group again when the last member of
/// the consumer protocol goes.
/// </summary>
internal sealed class GroupMigration(GroupShard shard)
{
    /// <summary>
    /// The group for a member that joins with the consumer protocol: the one that is there, a new one, or what a classic group becomes. Throws
    /// GROUP_ID_NOT_FOUND for a classic group that must stay one.
    /// </summary>
    public MemberUpdate ToConsumer(string groupId)
    {
        switch (shard.State.Find(groupId))
        {
            case ConsumerGroup there:
                return new MemberUpdate(shard, there);
            case ClassicGroup classic:
                return classic.IsEmpty && classic.Members.Count == 0 ? FromEmpty(classic) : Upgrade(classic);
            default:
                return new MemberUpdate(shard, new ConsumerGroup(shard, groupId));
        }
    }

    private MemberUpdate FromEmpty(ClassicGroup classic)
    {
        var update = new MemberUpdate(shard, new ConsumerGroup(shard, classic.Id));
        update.Add(CoordinatorRecord.Tombstone(new GroupMetadataKey { Group = classic.Id }));
        update.Begin();
        return update;
    }

    private MemberUpdate Upgrade(ClassicGroup classic)
    {
        var settings = shard.Settings.Consumer;
        if (!settings.MayUpgrade)
            throw Refused(classic, "because online upgrade is disabled");
        if (!classic.UsesConsumerProtocol)
            throw Refused(classic, "because the group does not use the consumer embedded protocol");
        if (classic.Members.Count > settings.MaxSize)
            throw Refused(classic, "because the group size exceeds the consumer group maximum size");
        var members = Members(classic);

        var group = new ConsumerGroup(shard, classic.Id);
        var hash = new Subscriptions(shard.Cluster, group.Regexes).MetadataHash(members);
        group.SetEpoch(classic.Generation, hash);
        group.SetTargetEpoch(classic.Generation, 0);
        foreach (var member in members)
        {
            group.Put(member);
            group.SetTarget(member.Id, TargetOf(member));
        }
        var update = new MemberUpdate(shard, group);
        update.Add(CoordinatorRecord.Tombstone(new GroupMetadataKey { Group = classic.Id }));
        foreach (var member in members)
            update.Add(ConsumerRecords.Member(classic.Id, member));
        update.Add(ConsumerRecords.GroupEpoch(classic.Id, classic.Generation, hash));
        foreach (var member in members)
            update.Add(ConsumerRecords.Target(classic.Id, member.Id, TargetOf(member)));
        update.Add(ConsumerRecords.TargetEpoch(classic.Id, classic.Generation, 0));
        foreach (var member in members)
            update.Add(ConsumerRecords.Assignment(classic.Id, member));
        update.Begin();
        update.After(() => Upgraded(classic));
        return update;
    }

    private static GroupException Refused(ClassicGroup classic, string why) =>
        new(ErrorCode.GroupIdNotFound, $"Cannot upgrade classic group {classic.Id} to consumer group {why}.");

    private static PartitionSet TargetOf(ConsumerMember member) => PartitionSet.From(member.Assigned.All().Select(p => (p.Topic, (IEnumerable<int>)[p.Partition])));

    private List<ConsumerMember> Members(ClassicGroup classic)
    {
        try
        {
            return [.. classic.Members.All.Select(m => Member(classic, m))];
        }
        catch (Exception e) when (e is ProtocolException or GroupException { Error: ErrorCode.InconsistentGroupProtocol })
        {
            throw Refused(classic, "because the embedded consumer protocol is malformed");
        }
    }

    private ConsumerMember Member(ClassicGroup group, ClassicMember member)
    {
        // Before its first generation a member has said only what it offers.
        var metadata = member.MetadataOf(group.Protocol) ?? member.Protocols[0].Metadata;
        var subscription = ConsumerProtocol.ReadSubscription(metadata);
        var assignment = ConsumerProtocol.ReadAssignment(member.Assignment);
        if (assignment.UserData is { Length: > 0 })
        {
            throw Refused(
                group, "because an unsupported custom assignor is in use. Please refer to the documentation or switch to a default assignor before re-attempting the upgrade");
        }
        return new ConsumerMember(member.Id)
        {
            Epoch = group.Generation,
            PreviousEpoch = group.Generation,
            InstanceId = member.InstanceId,
            RackId = subscription.RackId,
            RebalanceTimeoutMs = member.RebalanceTimeoutMs,
            ClientId = member.ClientId,
            ClientHost = member.ClientHost,
            TopicNames = ConsumerMember.SortedNames(subscription.Topics),
            Assigned = OwnedPartitions.From(
                ConsumerProtocol.ToPartitions(assignment.AssignedPartitions.Select(t => (t.Topic, t.Partitions)), shard.Cluster), group.Generation),
            Classic = new ClassicMemberMetadata(member.SessionTimeoutMs, member.Protocols),
        };
    }

    /// <summary>Whoever waits for the classic rebalance that went on is asked to join again: there is another one.</summary>
    private void Upgraded(ClassicGroup classic)
    {
        foreach (var member in classic.Members.All)
            classic.Members.Refuse(member, ErrorCode.RebalanceInProgress);
        var group = (ConsumerGroup)shard.State.Get(classic.Id);
        foreach (var member in group.Members.Values.Where(m => m.IsClassic))
            group.Heard(member);
        shard.Log.LogInformation("The classic group {Group} is a consumer group now, with {Count} members.", classic.Id, group.Members.Count);
    }

    /// <summary>Makes a group a classic one when members go and only classic ones are left. False where it stays what it is.</summary>
    public bool TryDowngrade(ConsumerGroup group, IReadOnlyCollection<ConsumerMember> leaving)
    {
        var left = group.Members.Values.Where(m => leaving.All(l => l.Id != m.Id)).ToList();
        if (left.Count == 0 || leaving.All(l => l.IsClassic) || !MayBecomeClassic(left))
            return false;
        var value = Describe(group, left.Select(m => (m, group.TargetOf(m.Id))).ToList());
        group.WriteTombstones(shard);
        shard.Write(CoordinatorRecord.Of(new GroupMetadataKey { Group = group.Id }, value, 3));
        var classic = Downgraded(group.Id, left);
        shard.Classic.Rebalance.Prepare(classic, "the last member of the consumer protocol has left");
        return true;
    }

    /// <summary>
    /// Whether the group would be a classic one if this classic member took the place of a static member: the only one of the consumer protocol.
    /// </summary>
    public bool WouldDowngrade(ConsumerGroup group, ConsumerMember replaced) =>
        !replaced.IsClassic && MayBecomeClassic(group.Members.Values.Where(m => m.Id != replaced.Id).ToList()) && group.Members.Count <= shard.Settings.MaxSize;

    private bool MayBecomeClassic(IReadOnlyCollection<ConsumerMember> members) =>
        shard.Settings.Consumer.MayDowngrade && members.Count <= shard.Settings.MaxSize && members.All(m => m.IsClassic);

    /// <summary>Makes the group a classic one after the static member's records are written.</summary>
    public void Downgrade(ConsumerGroup group, bool stale)
    {
        var members = group.Members.Values.ToList();
        var value = Describe(group, members.Select(m => (m, group.TargetOf(m.Id))).ToList());
        group.WriteTombstones(shard);
        shard.Write(CoordinatorRecord.Of(new GroupMetadataKey { Group = group.Id }, value, 3));
        var classic = Downgraded(group.Id, members);
        if (stale)
            shard.Classic.Rebalance.Prepare(classic, "the assignment was not up to date when the group became a classic one");
    }

    private GroupMetadataValue Describe(ConsumerGroup group, IReadOnlyList<(ConsumerMember Member, PartitionSet Target)> members)
    {
        var protocol = SelectProtocol([.. members.Select(m => m.Member.Classic!)]);
        var value = new GroupMetadataValue
        {
            ProtocolType = ConsumerProtocol.Type,
            Generation = group.Epoch,
            Protocol = protocol,
            CurrentStateTimestamp = shard.NowMs,
        };
        foreach (var (member, target) in members)
        {
            var metadata = member.Classic!.Protocols.First(p => p.Name == protocol).Metadata;
            value.Members.Add(new()
            {
                MemberId = member.Id,
                GroupInstanceId = member.InstanceId,
                ClientId = member.ClientId,
                ClientHost = member.ClientHost,
                RebalanceTimeout = member.RebalanceTimeoutMs,
                SessionTimeout = member.Classic.SessionTimeoutMs,
                Subscription = metadata,
                Assignment = ConsumerProtocol.WriteAssignment(target.Topics.Select(t => (t.Key, (IEnumerable<int>)t.Value)), shard.Cluster, metadata),
            });
        }
        return value;
    }

    /// <summary>What all members speak; of that, what most like best.</summary>
    private static string SelectProtocol(List<ClassicMemberMetadata> members)
    {
        var common = members[0].Protocols.Select(p => p.Name).Where(n => members.All(m => m.Protocols.Any(p => p.Name == n))).ToHashSet(StringComparer.Ordinal);
        return members.Select(m => m.Protocols.First(p => common.Contains(p.Name)).Name).GroupBy(n => n, StringComparer.Ordinal).MaxBy(g => g.Count())!.Key;
    }

    /// <summary>The classic group that the records made, with what they do not hold: all that its members offer, and their sessions.</summary>
    private ClassicGroup Downgraded(string groupId, IReadOnlyCollection<ConsumerMember> members)
    {
        var classic = (ClassicGroup)shard.State.Get(groupId);
        foreach (var member in members)
        {
            var live = classic.Members.Find(member.Id)!;
            classic.Members.SetProtocols(live, member.Classic!.Protocols);
            classic.Heard(live);
        }
        shard.Log.LogInformation("The consumer group {Group} is a classic group now, with {Count} members.", groupId, members.Count);
        return classic;
    }
}
