using OrleansStream.Broker.Groups;
using OrleansStream.Broker.Partitions;
using OrleansStream.Broker.Topics;
using OrleansStream.Protocol;

namespace OrleansStream.Broker.Engine;

/// <summary>
/// What hosts partitions: one process (Standalone) or a cluster (Orleans). The gateway knows brokers, topics and partitions only through this.
/// </summary>
public interface IEngine
{
    /// <summary>The current picture of brokers, topics and leaders: immutable, replaced as a whole, free to read.</summary>
    ClusterPicture Cluster { get; }

    /// <summary>
    /// The partition, if it is led here; completes synchronously once it is open. Where it is not open yet, or assigned here and still in the hands of its last
    /// leader, waits for that: whoever calls bounds the wait. Otherwise UNKNOWN_TOPIC_OR_PARTITION, UNKNOWN_TOPIC_ID, NOT_LEADER_OR_FOLLOWER, or a retriable error
    /// while its store is away.
    /// </summary>
    ValueTask<PartitionLease> GetPartitionAsync(TopicPicture topic, int index, CancellationToken cancel);

    /// <summary>
    /// A client asked about this topic and is likely to use it: its partitions are opened in the background, so that their leader epochs are known
    /// (-1 until then, which clients take for "not told") and the first request need not wait. Returns at once.
    /// </summary>
    void Touch(TopicPicture topic) { }

    ITopicAdmin Topics { get; }

    /// <summary>The coordinators of the groups whose partitions of __consumer_offsets are led here.</summary>
    IGroupCoordinator Groups { get; }

    /// <summary>Gives out producer ids, each at most once in the life of the cluster (InitProducerId, KIP-98).</summary>
    ValueTask<long> NextProducerIdAsync(CancellationToken cancel);

    /// <summary>
    /// Completes when hot memory has room for <paramref name="bytes"/> more: called before an append. Answers the throttle time in milliseconds
    /// that the client is to be told, 0 when there was room at once.
    /// </summary>
    ValueTask<int> AdmitAsync(int bytes, CancellationToken cancel);
}

public readonly record struct PartitionLease(ErrorCode Error, IPartition? Partition);
