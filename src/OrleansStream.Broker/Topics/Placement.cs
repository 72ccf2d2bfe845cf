using OrleansStream.Broker.Configuration;
using OrleansStream.Protocol;

namespace OrleansStream.Broker.Topics;

/// <summary>
/// How many partitions and replicas a topic gets. Replication factors above the number of brokers, and brokers that do not exist, are accepted:
/// the store keeps what is acknowledged, and programs written for three brokers must run on one. With strict.replication.factor they are refused as Kafka
/// does. Which brokers an assignment names is not remembered, only how many.
/// </summary>
internal static class Placement
{
    public const int MaxPartitionsPerRequest = 10_000;

    public static (int Partitions, short ReplicationFactor) Decide(NewTopic topic, BrokerSettings settings, IReadOnlyList<BrokerPicture> brokers)
    {
        if (topic.Assignments.Count > 0)
            return FromAssignments(topic, brokers, settings.StrictReplicationFactor);
        if (topic.ReplicationFactor is < -1 or 0)
            throw new RefusedException(ErrorCode.InvalidReplicationFactor, "Replication factor must be larger than 0, or -1 to use the default value.");
        if (topic.Partitions is < -1 or 0)
            throw new RefusedException(ErrorCode.InvalidPartitions, "Number of partitions was set to an invalid non-positive value.");
        var partitions = topic.Partitions == -1 ? settings.NumPartitions : topic.Partitions;
        var factor = topic.ReplicationFactor == -1 ? settings.DefaultReplicationFactor : topic.ReplicationFactor;
        if (partitions > MaxPartitionsPerRequest)
            throw new RefusedException(ErrorCode.PolicyViolation, "Excessively large number of partitions per request.");
        if (settings.StrictReplicationFactor && factor > brokers.Count)
        {
            throw new RefusedException(ErrorCode.InvalidReplicationFactor,
                $"Unable to replicate the partition {factor} time(s): The target replication factor of {factor} cannot be reached because only {brokers.Count} broker(s) are registered or some brokers have all their log directories cordoned.");
        }
        return (partitions, factor);
    }

    private static (int, short) FromAssignments(NewTopic topic, IReadOnlyList<BrokerPicture> brokers, bool strict)
    {
        if (topic.ReplicationFactor != -1)
            throw new RefusedException(ErrorCode.InvalidRequest, "A manual partition assignment was specified, but replication factor was not set to -1.");
        if (topic.Partitions != -1)
            throw new RefusedException(ErrorCode.InvalidRequest, "A manual partition assignment was specified, but numPartitions was not set to -1.");
        var sorted = topic.Assignments.OrderBy(a => a.Partition).ToList();
        if (sorted.Select(a => a.Partition).Distinct().Count() != sorted.Count)
        {
            var twice = sorted.GroupBy(a => a.Partition).First(g => g.Count() > 1).Key;
            throw new RefusedException(ErrorCode.InvalidReplicaAssignment, $"Found multiple manual partition assignments for partition {twice}");
        }
        CheckAssignments([.. sorted.Select(a => a.Brokers)], null, brokers, strict);
        if (sorted[0].Partition != 0 || sorted[^1].Partition != sorted.Count - 1)
            throw new RefusedException(ErrorCode.InvalidReplicaAssignment, "partitions should be a consecutive 0-based integer sequence");
        return (sorted.Count, checked((short)sorted[0].Brokers.Count));
    }

    /// <summary>Throws <see cref="RefusedException"/> with INVALID_REPLICA_ASSIGNMENT.</summary>
    public static void CheckAssignments(IReadOnlyList<IReadOnlyList<int>> assignments, int? factor, IReadOnlyList<BrokerPicture> brokers, bool strict)
    {
        foreach (var replicas in assignments)
        {
            RefusedException Refused(string why) => new(ErrorCode.InvalidReplicaAssignment, $"The manual partition assignment includes {why}");
            if (replicas.Count == 0)
                throw Refused("an empty replica list.");
            HashSet<int> seen = [];
            foreach (var broker in replicas.Order())
            {
                if (!seen.Add(broker))
                    throw Refused($"the broker {broker} more than once.");
                if (broker < 0 || (strict && brokers.All(b => b.NodeId != broker)))
                    throw Refused($"broker {broker}, but no such broker is registered.");
            }
            factor ??= replicas.Count;
            if (replicas.Count != factor)
                throw Refused($"a partition with {replicas.Count} replica(s), but this is not consistent with previous partitions, which have {factor} replica(s).");
        }
    }
}
