using OrleansStream.Broker.Groups;
using OrleansStream.Broker.Topics;

namespace OrleansStream.Broker.Engine;

/// <summary>
/// An engine as a host shows it to the gateway: everything is the inner engine's except what the host overrides, such as topics that are changed where
/// their owner is, or partitions that are led elsewhere and reached by forwarding.
/// </summary>
public class EngineFace(IEngine inner, ITopicAdmin topics) : IEngine
{
    protected IEngine Inner => inner;

    public virtual ClusterPicture Cluster => inner.Cluster;

    public virtual ITopicAdmin Topics => topics;

    public virtual IGroupCoordinator Groups => inner.Groups;

    public virtual ValueTask<PartitionLease> GetPartitionAsync(TopicPicture topic, int index, CancellationToken cancel) =>
        inner.GetPartitionAsync(topic, index, cancel);

    public virtual void Touch(TopicPicture topic) => inner.Touch(topic);

    public virtual ValueTask<long> NextProducerIdAsync(CancellationToken cancel) => inner.NextProducerIdAsync(cancel);

    public virtual ValueTask<int> AdmitAsync(int bytes, CancellationToken cancel) => inner.AdmitAsync(bytes, cancel);
}
