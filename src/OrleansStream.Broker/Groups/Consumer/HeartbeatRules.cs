using OrleansStream.Protocol;
using OrleansStream.Protocol.Messages;

namespace OrleansStream.Broker.Groups.Consumer;

/// <summary>What can be wrong with a ConsumerGroupHeartbeat whatever the group; Kafka's order of checks and its sentences.</summary>
internal static class HeartbeatRules
{
    /// <summary>From this version on the client makes the member id itself (KIP-1082).</summary>
    private const short ClientMakesId = 1;

    /// <summary>The error and its sentence; null where the request is in order.</summary>
    public static (ErrorCode Error, string Sentence)? Check(ConsumerGroupHeartbeatRequest request, short version, IReadOnlyList<string> assignors)
    {
        if ((version >= ClientMakesId || request.MemberEpoch > 0 || request.MemberEpoch == ConsumerMember.LeaveEpoch) && IsBlank(request.MemberId))
            return Invalid("MemberId can't be empty.");
        if (IsBlank(request.GroupId))
            return Invalid("GroupId can't be empty.");
        if (request.InstanceId is not null && IsBlank(request.InstanceId))
            return Invalid("InstanceId can't be empty.");
        if (request.RackId is not null && IsBlank(request.RackId))
            return Invalid("RackId can't be empty.");
        switch (request.MemberEpoch)
        {
            case 0 when request.RebalanceTimeoutMs == -1:
                return Invalid("RebalanceTimeoutMs must be provided in first request.");
            case 0 when request.TopicPartitions is not { Count: 0 }:
                return Invalid("TopicPartitions must be empty when (re-)joining.");
            case 0 when request.SubscribedTopicNames is null && request.SubscribedTopicRegex is null:
                return Invalid("Either SubscribedTopicNames or SubscribedTopicRegex must be non-null when (re-)joining.");
            case ConsumerMember.StaticLeaveEpoch when request.InstanceId is null:
                return Invalid("InstanceId can't be null.");
            case < ConsumerMember.StaticLeaveEpoch:
                return Invalid("MemberEpoch is invalid.");
            default:
                break;
        }
        if (request.ServerAssignor is { } assignor && !assignors.Contains(assignor))
        {
            return (ErrorCode.UnsupportedAssignor, $"ServerAssignor {assignor} is not supported. Supported assignors: {string.Join(", ", assignors)}.");
        }
        return null;
    }

    private static bool IsBlank(string text) => text.AsSpan().Trim().IsEmpty;

    private static (ErrorCode, string)? Invalid(string sentence) => (ErrorCode.InvalidRequest, sentence);
}
