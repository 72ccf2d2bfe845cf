using OrleansStream.Broker.Topics;
using OrleansStream.Protocol;
using OrleansStream.Protocol.Messages;

namespace OrleansStream.Broker.Groups;

/// <summary>Who sends a request of a group.</summary>
/// <param name="Version">The request's version: some answers depend on it.</param>
/// <param name="ClientHost">The address as Kafka shows it: a slash and the IP address.</param>
public readonly record struct GroupClient(short Version, string ClientId, string ClientHost);

/// <summary>Where a group's coordinator is: the broker's id, or an error with its sentence.</summary>
public readonly record struct CoordinatorLookup(ErrorCode Error, int NodeId, string? Message = null);

/// <summary>
/// The coordinators of the groups whose partitions of __consumer_offsets are led here. Every answer is complete, with Kafka's code in it: NOT_COORDINATOR
/// for a group of another broker, COORDINATOR_LOAD_IN_PROGRESS and COORDINATOR_NOT_AVAILABLE where asking again helps; and it rests on what is durable
/// only. Topics of offset requests were looked up by the caller: they exist, and carry their ids where these are known.
/// </summary>
public interface IGroupCoordinator
{
    /// <summary>FindCoordinator of a group; makes __consumer_offsets through <paramref name="topics"/> where it is not there yet.</summary>
    ValueTask<CoordinatorLookup> FindAsync(string groupId, ITopicAdmin topics, CancellationToken cancel);

    /// <summary>
    /// Begins an OffsetCommit: completes as soon as it has its place behind those that were begun before, with the answer to wait for. So a caller that begins
    /// commits in order has them in order, and their records share the journal's commits.
    /// </summary>
    ValueTask<Task<OffsetCommitResponse>> BeginCommitAsync(GroupClient client, OffsetCommitRequest request);

    /// <summary>One group's part of an OffsetFetch, in the form of version 8 and later; null topics mean all that have an offset.</summary>
    ValueTask<OffsetFetchResponse.OffsetFetchResponseGroup> FetchOffsetsAsync(OffsetFetchRequest.OffsetFetchRequestGroup group, bool requireStable);

    ValueTask<OffsetDeleteResponse> DeleteOffsetsAsync(OffsetDeleteRequest request);

    ValueTask<JoinGroupResponse> JoinAsync(GroupClient client, JoinGroupRequest request);
    ValueTask<SyncGroupResponse> SyncAsync(GroupClient client, SyncGroupRequest request);
    ValueTask<HeartbeatResponse> HeartbeatAsync(GroupClient client, HeartbeatRequest request);

    /// <summary>LeaveGroup in the form of version 3 and later: a list of members.</summary>
    ValueTask<LeaveGroupResponse> LeaveAsync(GroupClient client, LeaveGroupRequest request);

    /// <summary>ConsumerGroupHeartbeat: members of the consumer protocol (KIP-848) join, stay, change and leave.</summary>
    ValueTask<ConsumerGroupHeartbeatResponse> HeartbeatAsync(GroupClient client, ConsumerGroupHeartbeatRequest request);

    /// <summary>ConsumerGroupDescribe: groups of the consumer protocol.</summary>
    ValueTask<IReadOnlyList<ConsumerGroupDescribeResponse.DescribedGroup>> DescribeConsumersAsync(IReadOnlyList<string> groups);

    /// <summary>Every group coordinated here that passes the filters; an empty filter lets all pass.</summary>
    ValueTask<ListGroupsResponse> ListAsync(ListGroupsRequest request, CancellationToken cancel);

    /// <summary>DescribeGroups: groups of the classic protocol.</summary>
    ValueTask<IReadOnlyList<DescribeGroupsResponse.DescribedGroup>> DescribeAsync(GroupClient client, IReadOnlyList<string> groups);

    ValueTask<IReadOnlyList<DeleteGroupsResponse.DeletableGroupResult>> DeleteAsync(IReadOnlyList<string> groups);
}
