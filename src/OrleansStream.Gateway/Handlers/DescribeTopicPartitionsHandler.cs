using OrleansStream.Broker.Topics;
using OrleansStream.Gateway.Dispatch;
using OrleansStream.Protocol;
using OrleansStream.Protocol.Messages;

namespace OrleansStream.Gateway.Handlers;

/// <summary>DescribeTopicPartitions (KIP-966): Metadata's topics in pages, in the order of their names.</summary>
internal sealed class DescribeTopicPartitionsHandler : ApiHandler<DescribeTopicPartitionsRequest>
{
    protected override ValueTask<Answer> AnswerAsync(DescribeTopicPartitionsRequest request, RequestContext context)
    {
        ClusterPicture cluster = context.Gateway.Engine.Cluster;
        bool all = request.Topics.Count == 0;
        string from = request.Cursor?.TopicName ?? "";
        IEnumerable<string> names = all ? cluster.TopicsByName.Keys : request.Topics.Select(static t => t.Name).Distinct(StringComparer.Ordinal);
        int room = Math.Max(1, Math.Min(request.ResponsePartitionLimit, context.Gateway.Options.MaxDescribedPartitions));

        var response = new DescribeTopicPartitionsResponse();
        foreach (string name in names.Where(n => string.CompareOrdinal(n, from) >= 0).Order(StringComparer.Ordinal))
        {
            if (room == 0)
            {
                response.NextCursor = new() { TopicName = name, PartitionIndex = 0 };
                break;
            }
            if (!cluster.TopicsByName.TryGetValue(name, out TopicPicture? topic))
            {
                response.Topics.Add(Unknown(name, context));
                continue;
            }
            int first = name == from ? Math.Max(0, request.Cursor!.PartitionIndex) : 0;
            int end = (int)Math.Min(topic.Partitions.Count, (long)first + room);
            response.Topics.Add(Describe(cluster, topic, first, end, context));
            room -= Math.Max(0, end - first);
            if (end < topic.Partitions.Count)
            {
                response.NextCursor = new() { TopicName = name, PartitionIndex = end };
                break;
            }
        }
        return ValueTask.FromResult(Answer.Of(response));
    }

    private static DescribeTopicPartitionsResponse.DescribeTopicPartitionsResponseTopic Unknown(string name, RequestContext context)
    {
        AdminError invalid = TopicNames.Check(name);
        return new()
        {
            Name = name,
            ErrorCode = context.Report(invalid.Failed ? invalid.Code : ErrorCode.UnknownTopicOrPartition),
            TopicAuthorizedOperations = PictureExtensions.AllTopicOperations,
        };
    }

    private static DescribeTopicPartitionsResponse.DescribeTopicPartitionsResponseTopic Describe(
        ClusterPicture cluster, TopicPicture topic, int first, int end, RequestContext context)
    {
        var described = new DescribeTopicPartitionsResponse.DescribeTopicPartitionsResponseTopic
        {
            Name = topic.Name,
            TopicId = topic.Id,
            IsInternal = topic.Internal,
            TopicAuthorizedOperations = PictureExtensions.AllTopicOperations,
        };
        for (int index = first; index < end; index++)
        {
            PartitionPicture partition = cluster.LeaderOf(topic, index);
            int[] replicas = cluster.Replicas(topic, partition);
            described.Partitions.Add(new()
            {
                PartitionIndex = index,
                ErrorCode = partition.LeaderId >= 0 ? (short)0 : context.Report(ErrorCode.LeaderNotAvailable),
                LeaderId = partition.LeaderId,
                LeaderEpoch = partition.LeaderEpoch,
                ReplicaNodes = replicas,
                IsrNodes = replicas,
                EligibleLeaderReplicas = [],
                LastKnownElr = [],
            });
        }
        return described;
    }
}
