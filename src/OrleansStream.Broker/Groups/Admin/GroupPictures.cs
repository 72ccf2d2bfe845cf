using OrleansStream.Broker.Groups.Classic;
using OrleansStream.Broker.Groups.Consumer;
using OrleansStream.Broker.Groups.Runtime;
using OrleansStream.Protocol;
using OrleansStream.Protocol.Messages;

namespace OrleansStream.Broker.Groups.Admin;

/// <summary>Draws groups of either protocol. Called in a turn of the shard: so a picture is of one moment.</summary>
internal static class GroupPictures
{
    /// <summary>Throws GROUP_ID_NOT_FOUND.</summary>
    public static GroupPicture Of(GroupShard shard, string groupId) => shard.State.Get(groupId) is ClassicGroup classic
        ? Of(classic)
        : Of(shard.Consumers.Describe(groupId), shard.State.Get(groupId));

    private static GroupPicture Of(ClassicGroup group) => new(
        group.Id, group.TypeName, group.StateName, group.ProtocolTypeName, group.Protocol ?? "", group.Generation,
        [
            .. group.Members.All.Select(m => new GroupMemberPicture(
                m.Id, m.InstanceId, m.ClientId, m.ClientHost, group.UsesConsumerProtocol ? Assigned(m.Assignment) : [])),
        ]);

    private static GroupPicture Of(ConsumerGroupDescribeResponse.DescribedGroup described, Group group) => new(
        group.Id, group.TypeName, described.GroupState, group.ProtocolTypeName, described.AssignorName, described.GroupEpoch,
        [
            .. described.Members.Select(static m => new GroupMemberPicture(
                m.MemberId, m.InstanceId, m.ClientId, m.ClientHost,
                [.. m.Assignment.TopicPartitions.Select(static t => (t.TopicName, (IReadOnlyList<int>)t.Partitions))])),
        ]);

    private static (string, IReadOnlyList<int>)[] Assigned(byte[] assignment)
    {
        try
        {
            return [.. ConsumerProtocol.ReadAssignment(assignment).AssignedPartitions.Select(static t => (t.Topic, (IReadOnlyList<int>)t.Partitions))];
        }
        catch (ProtocolException)
        {
            // Between members and their leader everything is allowed; what is not understood here is not shown.
            return [];
        }
    }
}
