using OrleansStream.Broker.Groups.Records;
using OrleansStream.Broker.Groups.Runtime;
using OrleansStream.Protocol.Messages.Coordinators;

namespace OrleansStream.Broker.Groups.Consumer;

/// <summary>Replays the records of consumer groups (types 3 to 8 and 16) on a shard's groups: live and at loading alike.</summary>
internal sealed class ConsumerReplay(GroupShard shard, Dictionary<string, Group> groups)
{
    public void Replay(in CoordinatorRecord record)
    {
        switch (record.Key)
        {
            case ConsumerGroupMetadataKey key:
                ReplayGroup(key.GroupId, (ConsumerGroupMetadataValue?)record.Value);
                break;
            case ConsumerGroupPartitionMetadataKey key:
                if (Group(key.GroupId, record) is { } described)
                    described.HasPartitionMetadata = record.Value is not null;
                break;
            case ConsumerGroupMemberMetadataKey key:
                ReplayMember(Group(key.GroupId, record), key.MemberId, (ConsumerGroupMemberMetadataValue?)record.Value);
                break;
            case ConsumerGroupTargetAssignmentMetadataKey key:
                var epoch = (ConsumerGroupTargetAssignmentMetadataValue?)record.Value;
                Group(key.GroupId, record)?.SetTargetEpoch(epoch?.AssignmentEpoch ?? -1, epoch?.AssignmentTimestamp ?? 0);
                break;
            case ConsumerGroupTargetAssignmentMemberKey key:
                var target = record.Value is ConsumerGroupTargetAssignmentMemberValue value ? ConsumerRecords.TargetOf(value) : null;
                Group(key.GroupId, record)?.SetTarget(key.MemberId, target);
                break;
            case ConsumerGroupCurrentMemberAssignmentKey key:
                ReplayAssignment(Group(key.GroupId, record), key.MemberId, (ConsumerGroupCurrentMemberAssignmentValue?)record.Value);
                break;
            case ConsumerGroupRegularExpressionKey key:
                var regex = record.Value is ConsumerGroupRegularExpressionValue found ? new ResolvedRegex([.. found.Topics], found.Timestamp) : null;
                Group(key.GroupId, record)?.SetRegex(key.RegularExpression, regex);
                break;
        }
    }

    /// <summary>The group of a record. A value makes it where it is not there; a tombstone for a group that is not there has nothing to remove.</summary>
    private ConsumerGroup? Group(string id, in CoordinatorRecord record)
    {
        if (groups.TryGetValue(id, out var there) && there is ConsumerGroup group)
            return group;
        if (record.Value is null)
            return null;
        // A group of the classic protocol that is still there has no record of its own: it only stood for its offsets.
        var made = new ConsumerGroup(shard, id);
        groups[id] = made;
        return made;
    }

    private void ReplayGroup(string id, ConsumerGroupMetadataValue? value)
    {
        if (value is not null)
        {
            Group(id, new CoordinatorRecord(3, new ConsumerGroupMetadataKey(), value, 0))!.SetEpoch(value.Epoch, value.MetadataHash);
            return;
        }
        if (!groups.TryGetValue(id, out var there) || there is not ConsumerGroup group)
            return;
        group.Timers.CancelAll();
        groups.Remove(id);
    }

    private static void ReplayMember(ConsumerGroup? group, string memberId, ConsumerGroupMemberMetadataValue? value)
    {
        if (value is null)
            group?.Remove(memberId);
        else
            group!.Put(ConsumerRecords.With(group.Find(memberId) ?? new ConsumerMember(memberId), value));
    }

    private static void ReplayAssignment(ConsumerGroup? group, string memberId, ConsumerGroupCurrentMemberAssignmentValue? value)
    {
        if (value is not null)
        {
            group!.Put(ConsumerRecords.With(group.Find(memberId) ?? new ConsumerMember(memberId), value));
        }
        else if (group?.Find(memberId) is { } member)
        {
            group.Put(member with
            {
                Epoch = ConsumerMember.LeaveEpoch,
                PreviousEpoch = ConsumerMember.LeaveEpoch,
                State = MemberState.Stable,
                Assigned = OwnedPartitions.Empty,
                Revoking = OwnedPartitions.Empty,
            });
        }
    }
}
