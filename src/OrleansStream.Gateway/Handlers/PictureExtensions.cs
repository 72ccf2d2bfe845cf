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

    /// <summary>
    /// The replicas that clients are told: distinct live brokers, the leader first, as many as the remembered replication factor can have of them.
    /// </summary>
    public static int[] Replicas(this ClusterPicture cluster, TopicPicture topic, PartitionPicture partition)
    {
        int count = Math.Clamp((int)topic.ReplicationFactor, 1, Math.Max(1, cluster.Brokers.Count));
        if (count == 1)
            return partition.LeaderId >= 0 ? [partition.LeaderId] : [];
        var replicas = new List<int>(count);
        if (partition.LeaderId >= 0)
            replicas.Add(partition.LeaderId);
        foreach (BrokerPicture broker in cluster.Brokers)
        {
            if (replicas.Count < count && broker.NodeId != partition.LeaderId)
                replicas.Add(broker.NodeId);
        }
        return [.. replicas];
    }
}
