using OrleansStream.Protocol;
using OrleansStream.Protocol.Messages;

namespace OrleansStream.Broker.Groups;

/// <summary>Answers that are nothing but an error, where the error stands in each part of the answer or fields of the request are repeated.</summary>
internal static class GroupErrors
{
    public static OffsetCommitResponse Of(OffsetCommitRequest request, ErrorCode error)
    {
        var response = new OffsetCommitResponse();
        foreach (var topic in request.Topics)
        {
            var answered = new OffsetCommitResponse.OffsetCommitResponseTopic { Name = topic.Name, TopicId = topic.TopicId };
            foreach (var partition in topic.Partitions)
                answered.Partitions.Add(new() { PartitionIndex = partition.PartitionIndex, ErrorCode = (short)error });
            response.Topics.Add(answered);
        }
        return response;
    }

    public static JoinGroupResponse Of(JoinGroupRequest request, ErrorCode error) =>
        new() { ErrorCode = (short)error, MemberId = error == ErrorCode.GroupMaxSizeReached ? "" : request.MemberId };
}
