using OrleansStream.Broker.Topics;
using OrleansStream.Storage;

namespace OrleansStream.Broker.Cluster;

/// <summary>A broker as it presents itself to the controller.</summary>
/// <param name="Picture">What clients are told of it.</param>
/// <param name="Address">Where its process is, as the host writes it; another one for each process, so that a restarted broker is not taken for its predecessor.</param>
public sealed record ClusterMember(BrokerPicture Picture, string Address)
{
    /// <summary>It is about to stop, and says so with every report: a controller that began later must not give it anything.</summary>
    public bool IsLeaving { get; init; }

    public int NodeId => Picture.NodeId;
}

/// <summary>What became of a partition at a broker: it serves under an epoch, or leads no more that led under it.</summary>
public readonly record struct PartitionEvent(PartitionId Partition, int LeaderEpoch, bool Serves);

/// <summary>What has changed in the cluster since a broker last heard of it.</summary>
/// <param name="Version">The controller's version of all that follows. Versions of a later controller are higher.</param>
/// <param name="Whole">Whether this is everything, and what it does not name is gone.</param>
/// <param name="Members">The brokers that live.</param>
/// <param name="Topics">Topics of which leaders or epochs have changed, by id; an empty array for one that is gone.</param>
/// <param name="Changed">Names of topics whose stored record has changed.</param>
/// <param name="ConfigsChanged">Whether the stored configurations of brokers have changed.</param>
public sealed record ClusterNews(
    long Version, int ControllerId, bool Whole, IReadOnlyList<ClusterMember> Members,
    IReadOnlyList<KeyValuePair<Guid, PartitionPicture[]>> Topics, IReadOnlyList<string> Changed, bool ConfigsChanged);
