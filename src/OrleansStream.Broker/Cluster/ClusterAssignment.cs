using System.Collections.Immutable;
using OrleansStream.Broker.Topics;
using OrleansStream.Storage;

namespace OrleansStream.Broker.Cluster;

/// <summary>
/// Who leads what, as the controller has decided: what a host tells its engine. Immutable; a change makes a new one with a higher version.
/// </summary>
/// <param name="Version">Rises with every change. An engine ignores an assignment that is older than the one it has.</param>
/// <param name="ControllerId">The node id of the broker that decides, and that alone sweeps and removes deleted topics' data; -1 where there is none now.</param>
/// <param name="Brokers">The brokers that live.</param>
/// <param name="Topics">By topic id, for each partition its leader (-1: none now) and the newest leader epoch that is known (-1: none yet).</param>
public sealed record ClusterAssignment(
    long Version, int ControllerId, IReadOnlyList<BrokerPicture> Brokers, ImmutableDictionary<Guid, ImmutableArray<PartitionPicture>> Topics)
{
    /// <summary>The node id of the broker that leads every partition that <see cref="Topics"/> does not name, without being told; -1 in a cluster.</summary>
    public int SoleLeader { get; init; } = -1;

    /// <summary>One broker, which is the controller and leads everything.</summary>
    public static ClusterAssignment Sole(BrokerPicture broker) =>
        new(0, broker.NodeId, [broker], ImmutableDictionary<Guid, ImmutableArray<PartitionPicture>>.Empty) { SoleLeader = broker.NodeId };

    /// <summary>A broker that has heard nothing of its cluster yet.</summary>
    public static ClusterAssignment Unknown(BrokerPicture broker) =>
        new(0, -1, [broker], ImmutableDictionary<Guid, ImmutableArray<PartitionPicture>>.Empty);

    /// <summary>Leader and newest known epoch of a partition.</summary>
    public PartitionPicture this[PartitionId id] =>
        Topics.TryGetValue(id.TopicId, out var partitions) && (uint)id.Index < (uint)partitions.Length ? partitions[id.Index] : new PartitionPicture(SoleLeader, -1);

    /// <summary>Ids of the topics about whose partitions two assignments differ.</summary>
    internal static IEnumerable<Guid> Differences(ClusterAssignment before, ClusterAssignment after)
    {
        foreach (var (id, partitions) in after.Topics)
        {
            if (!before.Topics.TryGetValue(id, out var earlier) || (earlier != partitions && !earlier.SequenceEqual(partitions)))
                yield return id;
        }
        foreach (var id in before.Topics.Keys)
        {
            if (!after.Topics.ContainsKey(id))
                yield return id;
        }
    }
}
