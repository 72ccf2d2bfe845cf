using OrleansStream.Broker.Topics;
using OrleansStream.Gateway.Connections;

namespace OrleansStream.Gateway.Handlers;

/// <summary>What several handlers derive from the picture of the cluster.</summary>
internal static class PictureExtensions
{
    /// <summary>The operations of KIP-430 that exist on a topic: without an authorizer, all are allowed.</summary>
    public const int AllTopicOperations = 0b1101_1111_1000;

    /// <summary>The same on the cluster.</summary>
    public const int AllClusterOperations = 0b1_1111_1010_0000;

    /// <summary>The same on a group: read, delete, describe, describe and alter its configuration.</summary>
    public const int AllGroupOperations = 0b1101_0100_1000;

    /// <summary>Where a broker is reached by clients of this listener; null when it does not have the listener.</summary>
    public static AdvertisedAddress? AddressFor(this BrokerPicture broker, Peer peer) =>
        broker.Listeners.TryGetValue(peer.Listener.Name, out AdvertisedAddress address) ? address : null;

    /// <summary>A broker and where clients of this listener reach it; null where it does not live or does not have the listener.</summary>
    public static (BrokerPicture Broker, AdvertisedAddress Address)? EndpointOf(this ClusterPicture cluster, int nodeId, Peer peer)
    {
        foreach (BrokerPicture broker in cluster.Brokers)
        {
            if (broker.NodeId == nodeId)
                return broker.AddressFor(peer) is { } address ? (broker, address) : null;
        }
        return null;
    }

    /// <summary>Leader and epoch of a partition as clients are told them: leader -1 where nobody who lives leads it, or there is no such partition.</summary>
    public static PartitionPicture LeaderOf(this ClusterPicture cluster, TopicPicture? topic, int index)
    {
        if (topic is null || (uint)index >= (uint)topic.Partitions.Count)
            return new PartitionPicture(-1, -1);
        PartitionPicture partition = topic.Partitions[index];
        foreach (BrokerPicture broker in cluster.Brokers)
        {
            if (broker.NodeId == partition.LeaderId)
                return partition;
        }
        return partition with { LeaderId = -1 };
    }

    /// <summary>
    /// The replicas that clients are told: distinct live brokers, the leader first, as many as the remembered replication factor can have of them. The others
    /// follow in a circle, so that not every partition names the same ones.
    /// </summary>
    public static int[] Replicas(this ClusterPicture cluster, TopicPicture topic, PartitionPicture partition)
    {
        IReadOnlyList<BrokerPicture> brokers = cluster.Brokers;
        int count = Math.Clamp((int)topic.ReplicationFactor, 1, Math.Max(1, brokers.Count));
        if (count == 1 || brokers.Count == 0)
            return partition.LeaderId >= 0 ? [partition.LeaderId] : [];
        int first = 0;
        for (int i = 0; i < brokers.Count; i++)
        {
            if (brokers[i].NodeId == partition.LeaderId)
                first = i;
        }
        int[] replicas = new int[count];
        for (int i = 0; i < count; i++)
            replicas[i] = brokers[(first + i) % brokers.Count].NodeId;
        return replicas;
    }
}
