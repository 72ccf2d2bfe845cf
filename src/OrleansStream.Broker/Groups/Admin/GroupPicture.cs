using OrleansStream.Protocol;

namespace OrleansStream.Broker.Groups.Admin;

/// <summary>A group as its coordinator sees it, whichever protocol its members speak.</summary>
/// <param name="Type">"classic" or "consumer".</param>
/// <param name="State">By Kafka's name.</param>
/// <param name="ProtocolType">"consumer" for consumers of either protocol; empty where nobody ever joined.</param>
/// <param name="Assignor">Who works out the assignment: the members' protocol, or the server-side assignor; empty where there is none yet.</param>
/// <param name="Epoch">The generation, in the new protocol the group epoch.</param>
public sealed record GroupPicture(
    string GroupId, string Type, string State, string ProtocolType, string Assignor, int Epoch, IReadOnlyList<GroupMemberPicture> Members);

/// <summary>A member and the partitions that it has, those included that it is still to give up.</summary>
/// <param name="ClientHost">A slash and the IP address.</param>
public sealed record GroupMemberPicture(
    string MemberId, string? InstanceId, string ClientId, string ClientHost, IReadOnlyList<(string Topic, IReadOnlyList<int> Partitions)> Assigned);

/// <summary>How far a group is in one partition.</summary>
/// <param name="Error">Why the end is not known; none where it is.</param>
/// <param name="Committed">The next offset that the group wants; -1 where nothing is committed.</param>
/// <param name="End">The offset behind the last record; -1 where it is not known.</param>
/// <param name="MemberId">Who has the partition; null where nobody has.</param>
public readonly record struct PartitionProgress(
    string Topic, int Partition, ErrorCode Error, long Committed, string Metadata, long End, string? MemberId)
{
    /// <summary>How many offsets are still to come; -1 where one of the two is not known.</summary>
    public long Lag => Committed >= 0 && End >= 0 ? End - Committed : -1;
}
