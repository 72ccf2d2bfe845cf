using OrleansStream.Broker.Groups.Classic;
using OrleansStream.Broker.Groups.Runtime;
using OrleansStream.Protocol;
using OrleansStream.Protocol.Messages;

namespace OrleansStream.Broker.Groups.Admin;

/// <summary>ListGroups, DescribeGroups and DeleteGroups of a shard's groups. Every method is called in a turn of the shard.</summary>
internal sealed class AdminRequests(GroupShard shard)
{
    /// <summary>DescribeGroups from this version on tells that a group is not there; before, it was a dead one (KIP-1043).</summary>
    private const short TellsMissing = 6;

    /// <param name="states">Names of states, of any case; empty for all.</param>
    /// <param name="types">Names of types, of any case; empty for all.</param>
    public List<ListGroupsResponse.ListedGroup> List(IReadOnlyList<string> states, IReadOnlyList<string> types)
    {
        List<ListGroupsResponse.ListedGroup> listed = [];
        // The same order as of a group's members.
        foreach (var group in shard.State.Groups.OrderByDescending(g => g.Id, StringComparer.Ordinal))
        {
            if (!Passes(states, group.StateName) || !Passes(types, group.TypeName))
                continue;
            listed.Add(new()
            {
                GroupId = group.Id, ProtocolType = group.ProtocolTypeName, GroupState = group.StateName, GroupType = group.TypeName,
            });
        }
        return listed;
    }

    private static bool Passes(IReadOnlyList<string> filter, string name) =>
        filter.Count == 0 || filter.Any(f => string.Equals(f.Trim(), name, StringComparison.OrdinalIgnoreCase));

    public DescribeGroupsResponse.DescribedGroup Describe(GroupClient client, string groupId)
    {
        var found = shard.State.Find(groupId);
        if (found is not ClassicGroup group)
        {
            var missing = new DescribeGroupsResponse.DescribedGroup { GroupId = groupId, GroupState = "Dead" };
            if (client.Version >= TellsMissing)
            {
                missing.ErrorCode = (short)ErrorCode.GroupIdNotFound;
                missing.ErrorMessage = found is null ? $"Group {groupId} not found." : $"Group {groupId} is not a classic group.";
            }
            return missing;
        }
        var stable = group.State == ClassicState.Stable;
        var described = new DescribeGroupsResponse.DescribedGroup
        {
            GroupId = groupId,
            GroupState = group.StateName,
            ProtocolType = group.ProtocolTypeName,
            ProtocolData = stable ? group.Protocol ?? "" : "",
        };
        foreach (var member in group.Members.All)
        {
            described.Members.Add(new()
            {
                MemberId = member.Id,
                GroupInstanceId = member.InstanceId,
                ClientId = member.ClientId,
                ClientHost = member.ClientHost,
                MemberMetadata = stable ? member.MetadataOf(group.Protocol) ?? [] : [],
                MemberAssignment = member.Assignment,
            });
        }
        return described;
    }

    public DeleteGroupsResponse.DeletableGroupResult Delete(string groupId)
    {
        var result = new DeleteGroupsResponse.DeletableGroupResult { GroupId = groupId };
        try
        {
            var group = shard.State.Get(groupId);
            group.CheckDelete();
            shard.Offsets.DeleteAll(groupId);
            group.WriteTombstones(shard);
        }
        catch (GroupException refused)
        {
            result.ErrorCode = (short)refused.Error;
        }
        return result;
    }
}
