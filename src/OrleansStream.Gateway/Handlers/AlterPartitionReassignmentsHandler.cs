using OrleansStream.Broker.Topics;
using OrleansStream.Gateway.Dispatch;
using OrleansStream.Protocol;
using OrleansStream.Protocol.Messages;

namespace OrleansStream.Gateway.Handlers;

/// <summary>
/// AlterPartitionReassignments (KIP-455, KIP-860). Records lie in the store, not on brokers, and the cluster itself places its leaders: what is asked for
/// succeeds where it is so already and is refused, with the reason, where it is not.
/// </summary>
internal sealed class AlterPartitionReassignmentsHandler : ApiHandler<AlterPartitionReassignmentsRequest>
{
    protected override ValueTask<Answer> AnswerAsync(AlterPartitionReassignmentsRequest request, RequestContext context)
    {
        var response = new AlterPartitionReassignmentsResponse { AllowReplicationFactorChange = request.AllowReplicationFactorChange };
        ClusterPicture cluster = context.Gateway.Engine.Cluster;
        foreach (AlterPartitionReassignmentsRequest.ReassignableTopic asked in request.Topics)
        {
            var answered = new AlterPartitionReassignmentsResponse.ReassignableTopicResponse { Name = asked.Name };
            foreach (AlterPartitionReassignmentsRequest.ReassignablePartition partition in asked.Partitions)
            {
                AdminError error = Reassign(cluster, asked.Name, partition, request.AllowReplicationFactorChange);
                answered.Partitions.Add(new()
                {
                    PartitionIndex = partition.PartitionIndex,
                    ErrorCode = context.Report(error.Code),
                    ErrorMessage = error.Message,
                });
            }
            response.Responses.Add(answered);
        }
        return ValueTask.FromResult(Answer.Of(response));
    }

    private static AdminError Reassign(
        ClusterPicture cluster, string name, AlterPartitionReassignmentsRequest.ReassignablePartition asked, bool allowOtherFactor)
    {
        if (!cluster.TopicsByName.TryGetValue(name, out TopicPicture? topic))
            return new AdminError(ErrorCode.UnknownTopicOrPartition, $"Unable to find a topic named {name}.");
        if ((uint)asked.PartitionIndex >= (uint)topic.Partitions.Count)
            return new AdminError(ErrorCode.UnknownTopicOrPartition, $"Unable to find partition {name}:{asked.PartitionIndex}.");
        if (asked.Replicas is not { } wanted)
            return new AdminError(ErrorCode.NoReassignmentInProgress, "No partition reassignment is in progress.");
        if (wanted.Length == 0)
            return Refused("The manual partition assignment includes an empty replica list.");
        foreach (IGrouping<int, int> broker in wanted.GroupBy(static id => id).OrderBy(static same => same.Key))
        {
            if (!cluster.Brokers.Any(b => b.NodeId == broker.Key))
                return Refused($"The manual partition assignment includes broker {broker.Key}, but no such broker is registered.");
            if (broker.Count() > 1)
                return Refused($"The manual partition assignment includes the broker {broker.Key} more than once.");
        }
        int[] now = cluster.Replicas(topic, topic.Partitions[asked.PartitionIndex]);
        if (now.SequenceEqual(wanted))
            return AdminError.None;
        return !allowOtherFactor && wanted.Length != now.Length
            ? new AdminError(
                ErrorCode.InvalidReplicationFactor, $"The replication factor is changed from {now.Length} to {wanted.Length}, which the request does not allow.")
            : Refused("The cluster places its partitions by itself; they cannot be assigned to brokers.");
    }

    private static AdminError Refused(string message) => new(ErrorCode.InvalidReplicaAssignment, message);
}
