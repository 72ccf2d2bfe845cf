using System.Collections.Immutable;
using Orleans.Runtime;
using OrleansStream.Broker.Cluster;
using OrleansStream.Broker.Topics;
using OrleansStream.Grains;
using OrleansStream.Silo.Hosting;
using OrleansStream.Storage;

namespace OrleansStream.Silo.Cluster;

/// <summary>
/// What this silo has heard of the cluster: who leads what, and in which silo. It tells its engine, and the placement director asks it. Thread-safe.
/// </summary>
internal sealed class ClusterKnowledge(SiloEngine engine)
{
    private readonly Lock _lock = new();
    private ImmutableDictionary<int, SiloAddress> _silos = ImmutableDictionary<int, SiloAddress>.Empty;
    private ImmutableDictionary<Guid, ImmutableArray<PartitionPicture>> _topics = ImmutableDictionary<Guid, ImmutableArray<PartitionPicture>>.Empty;
    private long _version;

    /// <summary>The silo that a partition is assigned to; null where it is assigned to none, or to one that is not known.</summary>
    public SiloAddress? SiloOf(PartitionId partition)
    {
        var topics = Volatile.Read(ref _topics);
        return topics.TryGetValue(partition.TopicId, out var partitions) && (uint)partition.Index < (uint)partitions.Length
            && Volatile.Read(ref _silos).TryGetValue(partitions[partition.Index].LeaderId, out SiloAddress? silo) ? silo : null;
    }

    /// <summary>The silo that is a broker; null where no living one has the node id.</summary>
    public SiloAddress? SiloOf(int nodeId) => Volatile.Read(ref _silos).GetValueOrDefault(nodeId);

    /// <summary>Takes in who leads what; news that are older than what is known, only repeat it.</summary>
    public void Assign(BrokerNews news)
    {
        lock (_lock)
        {
            if (news.Version <= _version)
                return;
            var topics = (news.Whole ? ImmutableDictionary<Guid, ImmutableArray<PartitionPicture>>.Empty : _topics).ToBuilder();
            foreach (TopicLeaders topic in news.Topics)
            {
                if (topic.Leaders.Length == 0)
                    topics.Remove(topic.TopicId);
                else
                    topics[topic.TopicId] = [.. topic.Leaders.Zip(topic.Epochs, static (leader, epoch) => new PartitionPicture(leader, epoch))];
            }
            _version = news.Version;
            Volatile.Write(ref _silos, news.Brokers.ToImmutableDictionary(static b => b.NodeId, static b => b.Silo));
            Volatile.Write(ref _topics, topics.ToImmutable());
            // In turn with other news: the engine takes the newest version, whichever comes first.
            engine.Engine.Assign(new ClusterAssignment(news.Version, news.ControllerId, [.. news.Brokers.Select(static b => b.ToPicture())], _topics));
        }
    }
}
