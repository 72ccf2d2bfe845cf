using System.Collections.Frozen;

namespace OrleansStream.Broker.Topics;

/// <summary>Brokers, topics and leaders at one moment. Immutable: a change makes a new picture.</summary>
public sealed record ClusterPicture(
    string ClusterId,
    int ControllerId,
    IReadOnlyList<BrokerPicture> Brokers,
    FrozenDictionary<string, TopicPicture> TopicsByName,
    FrozenDictionary<Guid, TopicPicture> TopicsById);

/// <summary>A broker and the addresses that it advertises, one for each listener name.</summary>
public sealed record BrokerPicture(int NodeId, string? Rack, IReadOnlyDictionary<string, AdvertisedAddress> Listeners);

public readonly record struct AdvertisedAddress(string Host, int Port);

/// <summary>A topic as clients see it.</summary>
public sealed record TopicPicture(
    string Name, Guid Id, bool Internal, short ReplicationFactor, TopicConfig Config, IReadOnlyList<PartitionPicture> Partitions);

/// <summary>The broker that leads a partition (-1: none now) and under which epoch.</summary>
public readonly record struct PartitionPicture(int LeaderId, int LeaderEpoch);
