using OrleansStream.Broker.Groups;
using OrleansStream.Broker.Groups.Admin;
using OrleansStream.Grains;
using OrleansStream.Protocol.Messages;
using Asked = OrleansStream.Broker.Groups.Admin.OffsetReset;
using Committed = OrleansStream.Broker.Groups.Admin.GroupOffset;
using GroupOffset = OrleansStream.Grains.GroupOffset;
using OffsetReset = OrleansStream.Grains.OffsetReset;

namespace OrleansStream.Silo.Grains.Groups;

/// <summary>What groups' coordinators say, from Broker's words into contracts, and what they are asked back.</summary>
internal static class GroupContracts
{
    public static GroupDescription ToDescription(this GroupResult<GroupPicture> result) => new(
        (short)result.Error, result.Message, result.Value is not { } group ? null : new GroupInfo(
            group.GroupId, group.Type, group.State, group.ProtocolType, group.Assignor, group.Epoch,
            [
                .. group.Members.Select(static m => new GroupMember(
                    m.MemberId, m.InstanceId, m.ClientId, m.ClientHost, [.. m.Assigned.Select(static a => new TopicPartitions(a.Topic, [.. a.Partitions]))])),
            ]));

    public static GroupLag ToContract(this GroupResult<IReadOnlyList<PartitionProgress>> result) => new(
        (short)result.Error, result.Message,
        [
            .. (result.Value ?? []).Select(static p => new PartitionLag(
                p.Topic, p.Partition, (short)p.Error, p.Committed, p.Metadata, p.End, p.Lag, p.MemberId)),
        ]);

    public static GroupOffsets ToContract(this GroupResult<IReadOnlyList<Committed>> result) => new(
        (short)result.Error, result.Message, [.. (result.Value ?? []).Select(static o => new GroupOffset(o.Topic, o.Partition, o.Offset, o.Metadata))]);

    public static GroupList ToContract(this GroupResult<IReadOnlyList<ListGroupsResponse.ListedGroup>> result) => new(
        (short)result.Error, result.Message,
        [.. (result.Value ?? []).Select(static g => new ListedGroup(g.GroupId, g.GroupType, g.GroupState, g.ProtocolType))]);

    public static Asked ToBroker(this OffsetReset reset) => new(
        reset.Target switch
        {
            OrleansStream.Grains.ResetTarget.Earliest => OrleansStream.Broker.Groups.Admin.ResetTarget.Earliest,
            OrleansStream.Grains.ResetTarget.Latest => OrleansStream.Broker.Groups.Admin.ResetTarget.Latest,
            OrleansStream.Grains.ResetTarget.Offset => OrleansStream.Broker.Groups.Admin.ResetTarget.Offset,
            OrleansStream.Grains.ResetTarget.Timestamp => OrleansStream.Broker.Groups.Admin.ResetTarget.Timestamp,
            OrleansStream.Grains.ResetTarget.Shift => OrleansStream.Broker.Groups.Admin.ResetTarget.Shift,
            _ => throw new ArgumentOutOfRangeException(nameof(reset), reset.Target, "no way to reset offsets"),
        },
        reset.Value, reset.Topics is null ? null : [.. reset.Topics.Select(static t => (t.Topic, (IReadOnlyList<int>)t.Partitions))]);

    public static Committed ToBroker(this GroupOffset offset) => new(offset.Topic, offset.Partition, offset.Offset, Metadata: offset.Metadata);
}
