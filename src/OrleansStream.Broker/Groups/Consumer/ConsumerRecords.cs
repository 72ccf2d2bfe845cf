using OrleansStream.Broker.Groups.Classic;
using OrleansStream.Broker.Groups.Records;
using OrleansStream.Protocol.Messages.Coordinators;

namespace OrleansStream.Broker.Groups.Consumer;

/// <summary>The records that a consumer group is made of (types 3 to 8 and 16), to and from what they mean.</summary>
internal static class ConsumerRecords
{
    public static CoordinatorRecord GroupEpoch(string group, int epoch, long metadataHash) => CoordinatorRecord.Of(
        new ConsumerGroupMetadataKey { GroupId = group }, new ConsumerGroupMetadataValue { Epoch = epoch, MetadataHash = metadataHash }, 0);

    public static CoordinatorRecord GroupEpochTombstone(string group) => CoordinatorRecord.Tombstone(new ConsumerGroupMetadataKey { GroupId = group });

    public static CoordinatorRecord PartitionMetadataTombstone(string group) =>
        CoordinatorRecord.Tombstone(new ConsumerGroupPartitionMetadataKey { GroupId = group });

    public static CoordinatorRecord Member(string group, ConsumerMember member)
    {
        var value = new ConsumerGroupMemberMetadataValue
        {
            InstanceId = member.InstanceId,
            RackId = member.RackId,
            ClientId = member.ClientId,
            ClientHost = member.ClientHost,
            SubscribedTopicRegex = member.TopicRegex,
            RebalanceTimeoutMs = member.RebalanceTimeoutMs,
            ServerAssignor = member.ServerAssignor,
            // Not null by itself: as in Kafka, a field that may be null starts with an empty value.
            ClassicMemberMetadata = null,
        };
        value.SubscribedTopicNames.AddRange(member.TopicNames);
        if (member.Classic is { } classic)
        {
            value.ClassicMemberMetadata = new() { SessionTimeoutMs = classic.SessionTimeoutMs };
            foreach (var protocol in classic.Protocols)
                value.ClassicMemberMetadata.SupportedProtocols.Add(new() { Name = protocol.Name, Metadata = protocol.Metadata });
        }
        return CoordinatorRecord.Of(new ConsumerGroupMemberMetadataKey { GroupId = group, MemberId = member.Id }, value, 0);
    }

    /// <summary>The member with what the record says of it; the rest is as it was.</summary>
    public static ConsumerMember With(ConsumerMember member, ConsumerGroupMemberMetadataValue value) => member with
    {
        InstanceId = value.InstanceId,
        RackId = value.RackId,
        ClientId = value.ClientId,
        ClientHost = value.ClientHost,
        TopicNames = ConsumerMember.SortedNames(value.SubscribedTopicNames),
        TopicRegex = value.SubscribedTopicRegex ?? "",
        RebalanceTimeoutMs = value.RebalanceTimeoutMs,
        ServerAssignor = value.ServerAssignor,
        Classic = value.ClassicMemberMetadata is { } classic
            ? new ClassicMemberMetadata(classic.SessionTimeoutMs, [.. classic.SupportedProtocols.Select(p => new ClassicProtocol(p.Name, p.Metadata))])
            : null,
    };

    public static CoordinatorRecord MemberTombstone(string group, string member) =>
        CoordinatorRecord.Tombstone(new ConsumerGroupMemberMetadataKey { GroupId = group, MemberId = member });

    public static CoordinatorRecord TargetEpoch(string group, int epoch, long timestamp) => CoordinatorRecord.Of(
        new ConsumerGroupTargetAssignmentMetadataKey { GroupId = group },
        new ConsumerGroupTargetAssignmentMetadataValue { AssignmentEpoch = epoch, AssignmentTimestamp = timestamp }, 0);

    public static CoordinatorRecord TargetEpochTombstone(string group) =>
        CoordinatorRecord.Tombstone(new ConsumerGroupTargetAssignmentMetadataKey { GroupId = group });

    public static CoordinatorRecord Target(string group, string member, PartitionSet target)
    {
        var value = new ConsumerGroupTargetAssignmentMemberValue();
        foreach (var (topic, partitions) in target.Topics)
            value.TopicPartitions.Add(new() { TopicId = topic, Partitions = partitions });
        return CoordinatorRecord.Of(new ConsumerGroupTargetAssignmentMemberKey { GroupId = group, MemberId = member }, value, 0);
    }

    public static PartitionSet TargetOf(ConsumerGroupTargetAssignmentMemberValue value) =>
        PartitionSet.From(value.TopicPartitions.Select(t => (t.TopicId, (IEnumerable<int>)t.Partitions)));

    public static CoordinatorRecord TargetTombstone(string group, string member) =>
        CoordinatorRecord.Tombstone(new ConsumerGroupTargetAssignmentMemberKey { GroupId = group, MemberId = member });

    public static CoordinatorRecord Assignment(string group, ConsumerMember member)
    {
        var value = new ConsumerGroupCurrentMemberAssignmentValue
        {
            MemberEpoch = member.Epoch,
            PreviousMemberEpoch = member.PreviousEpoch,
            State = (sbyte)member.State,
        };
        Store(value.AssignedPartitions, member.Assigned);
        Store(value.PartitionsPendingRevocation, member.Revoking);
        return CoordinatorRecord.Of(new ConsumerGroupCurrentMemberAssignmentKey { GroupId = group, MemberId = member.Id }, value, 0);
    }

    private static void Store(List<ConsumerGroupCurrentMemberAssignmentValue.TopicPartitions> topics, OwnedPartitions partitions)
    {
        foreach (var topic in partitions.TopicIds)
        {
            var owned = partitions.Of(topic);
            topics.Add(new() { TopicId = topic, Partitions = [.. owned.Keys], AssignmentEpochs = [.. owned.Values] });
        }
    }

    public static ConsumerMember With(ConsumerMember member, ConsumerGroupCurrentMemberAssignmentValue value) => member with
    {
        Epoch = value.MemberEpoch,
        PreviousEpoch = value.PreviousMemberEpoch,
        State = value.State is >= 0 and <= 2 ? (MemberState)value.State : MemberState.Unknown,
        Assigned = OwnedOf(value.AssignedPartitions, value.MemberEpoch),
        Revoking = OwnedOf(value.PartitionsPendingRevocation, value.MemberEpoch),
    };

    private static OwnedPartitions OwnedOf(List<ConsumerGroupCurrentMemberAssignmentValue.TopicPartitions> topics, int memberEpoch)
    {
        var owned = new OwnedPartitions.Builder();
        foreach (var topic in topics)
        {
            for (var i = 0; i < topic.Partitions.Length; i++)
            {
                // Records from before KIP-1251 have no assignment epochs: the member's own is the strictest that lets its commits through.
                var epoch = topic.AssignmentEpochs is { } epochs && i < epochs.Length ? epochs[i] : memberEpoch;
                owned.Add(topic.TopicId, topic.Partitions[i], epoch);
            }
        }
        return owned.Build();
    }

    public static CoordinatorRecord AssignmentTombstone(string group, string member) =>
        CoordinatorRecord.Tombstone(new ConsumerGroupCurrentMemberAssignmentKey { GroupId = group, MemberId = member });

    public static CoordinatorRecord Regex(string group, string pattern, ResolvedRegex resolved)
    {
        var value = new ConsumerGroupRegularExpressionValue { Timestamp = resolved.TimestampMs };
        value.Topics.AddRange(resolved.Topics);
        return CoordinatorRecord.Of(new ConsumerGroupRegularExpressionKey { GroupId = group, RegularExpression = pattern }, value, 0);
    }

    public static CoordinatorRecord RegexTombstone(string group, string pattern) =>
        CoordinatorRecord.Tombstone(new ConsumerGroupRegularExpressionKey { GroupId = group, RegularExpression = pattern });

    /// <summary>The three records that take a member out, in Kafka's order.</summary>
    public static IEnumerable<CoordinatorRecord> RemoveMember(string group, string member) =>
        [AssignmentTombstone(group, member), TargetTombstone(group, member), MemberTombstone(group, member)];
}

/// <summary>The topics that a regular expression matched, sorted, and when that was found out (Unix milliseconds).</summary>
internal sealed record ResolvedRegex(IReadOnlyList<string> Topics, long TimestampMs)
{
    public bool SameTopics(ResolvedRegex other) => Topics.SequenceEqual(other.Topics, StringComparer.Ordinal);
}
