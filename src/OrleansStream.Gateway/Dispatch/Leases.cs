using OrleansStream.Broker.Engine;
using OrleansStream.Broker.Topics;
using OrleansStream.Protocol;

namespace OrleansStream.Gateway.Dispatch;

/// <summary>
/// Partitions that are this broker's and not open yet: they are being recovered, or their last leader is about to let them go. A request waits for that rather
/// than sending its client round the cluster, but not for ever, and not longer than its client does.
/// </summary>
internal static class Leases
{
    /// <summary>The partition, or why there is none; NOT_LEADER_OR_FOLLOWER, which clients retry, where it did not open in time.</summary>
    /// <param name="timeoutMs">The request's own limit, in milliseconds since it was read; null where it has none.</param>
    public static ValueTask<PartitionLease> LeaseAsync(this RequestContext context, TopicPicture topic, int index, int? timeoutMs = null)
    {
        ValueTask<PartitionLease> lease = context.Gateway.Engine.GetPartitionAsync(topic, index, CancellationToken.None);
        return lease.IsCompletedSuccessfully ? lease : WithinAsync(lease.AsTask(), context, timeoutMs);
    }

    /// <summary>The same by a topic's name; UNKNOWN_TOPIC_OR_PARTITION where there is no such topic.</summary>
    public static ValueTask<PartitionLease> LeaseAsync(this RequestContext context, string topicName, int index, int? timeoutMs = null) =>
        context.Gateway.Engine.Cluster.TopicsByName.TryGetValue(topicName, out TopicPicture? topic)
            ? context.LeaseAsync(topic, index, timeoutMs)
            : ValueTask.FromResult(new PartitionLease(ErrorCode.UnknownTopicOrPartition, null));

    private static async ValueTask<PartitionLease> WithinAsync(Task<PartitionLease> opening, RequestContext context, int? timeoutMs)
    {
        TimeSpan limit = context.OpeningLimit;
        if (timeoutMs is { } own)
        {
            TimeSpan left = TimeSpan.FromMilliseconds(Math.Max(0, own)) - context.Gateway.Time.GetElapsedTime(context.StartedAt);
            limit = left < TimeSpan.Zero ? TimeSpan.Zero : left < limit ? left : limit;
        }
        try
        {
            return await opening.WaitAsync(limit, context.Gateway.Time, context.Gateway.Stopping);
        }
        catch (Exception end) when (end is TimeoutException or OperationCanceledException)
        {
            return new PartitionLease(ErrorCode.NotLeaderOrFollower, null);
        }
    }
}
