using OrleansStream.Broker.Topics;
using OrleansStream.Gateway.Dispatch;
using OrleansStream.Protocol;
using OrleansStream.Protocol.Messages;

namespace OrleansStream.Gateway.Handlers;

/// <summary>
/// ElectLeaders (KIP-183, KIP-460). Any broker can lead any partition, because none owns its data, and whichever does is the first of its replicas: so where
/// there is a leader no election is needed, and where there is none a request cannot make one.
/// </summary>
internal sealed class ElectLeadersHandler : ApiHandler<ElectLeadersRequest>
{
    private const sbyte Preferred = 0;
    private const sbyte Unclean = 1;

    protected override ValueTask<Answer> AnswerAsync(ElectLeadersRequest request, RequestContext context)
    {
        AdminError error = request.ElectionType is Preferred or Unclean
            ? AdminError.None
            : new AdminError(ErrorCode.InvalidRequest, $"Unknown election type {request.ElectionType}");
        var response = new ElectLeadersResponse { ErrorCode = context.Report(error.Code) };
        ClusterPicture cluster = context.Gateway.Engine.Cluster;
        if (request.TopicPartitions is { } asked)
        {
            foreach (ElectLeadersRequest.TopicPartitionsData topic in asked)
            {
                var result = new ElectLeadersResponse.ReplicaElectionResult { Topic = topic.Topic };
                foreach (int index in topic.Partitions)
                    Add(result, index, error.Failed ? error : Elect(cluster, topic.Topic, index, request.ElectionType), context);
                response.ReplicaElectionResults.Add(result);
            }
        }
        else if (!error.Failed)
        {
            foreach (TopicPicture topic in cluster.TopicsByName.Values)
            {
                // Of all partitions only those without the leader they should have are told.
                var result = new ElectLeadersResponse.ReplicaElectionResult { Topic = topic.Name };
                for (int index = 0; index < topic.Partitions.Count; index++)
                {
                    if (Elect(cluster, topic.Name, index, request.ElectionType) is { Code: not ErrorCode.ElectionNotNeeded } failed)
                        Add(result, index, failed, context);
                }
                response.ReplicaElectionResults.Add(result);
            }
        }
        return ValueTask.FromResult(Answer.Of(response));
    }

    private static AdminError Elect(ClusterPicture cluster, string name, int index, sbyte type)
    {
        if (!cluster.TopicsByName.TryGetValue(name, out TopicPicture? topic))
            return new AdminError(ErrorCode.UnknownTopicOrPartition, $"No such topic as {name}");
        if ((uint)index >= (uint)topic.Partitions.Count)
            return new AdminError(ErrorCode.UnknownTopicOrPartition, $"No such partition as {name}-{index}");
        if (topic.Partitions[index].LeaderId >= 0)
            return new AdminError(ErrorCode.ElectionNotNeeded, "Leader election not needed for topic partition.");
        return type == Preferred
            ? new AdminError(ErrorCode.PreferredLeaderNotAvailable, "The preferred leader was not available.")
            : new AdminError(ErrorCode.EligibleLeadersNotAvailable, "Eligible topic partition leaders are not available.");
    }

    private static void Add(ElectLeadersResponse.ReplicaElectionResult result, int index, AdminError error, RequestContext context) =>
        result.PartitionResult.Add(new() { PartitionId = index, ErrorCode = context.Report(error.Code), ErrorMessage = error.Message });
}
