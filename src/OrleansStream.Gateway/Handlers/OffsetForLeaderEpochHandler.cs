using OrleansStream.Broker.Engine;
using OrleansStream.Broker.Partitions;
using OrleansStream.Gateway.Dispatch;
using OrleansStream.Protocol;
using OrleansStream.Protocol.Messages;

namespace OrleansStream.Gateway.Handlers;

/// <summary>OffsetForLeaderEpoch (KIP-101, KIP-320): where an epoch ended, so that a consumer sees that what it read was truncated.</summary>
internal sealed class OffsetForLeaderEpochHandler : ApiHandler<OffsetForLeaderEpochRequest>
{
    protected override async ValueTask<Answer> AnswerAsync(OffsetForLeaderEpochRequest request, RequestContext context)
    {
        var response = new OffsetForLeaderEpochResponse();
        foreach (OffsetForLeaderEpochRequest.OffsetForLeaderTopic asked in request.Topics)
        {
            var answered = new OffsetForLeaderEpochResponse.OffsetForLeaderTopicResult { Topic = asked.Topic };
            foreach (OffsetForLeaderEpochRequest.OffsetForLeaderPartition partition in asked.Partitions)
            {
                EpochEnd end = await FindAsync(asked.Topic, partition, context);
                answered.Partitions.Add(new()
                {
                    Partition = partition.Partition,
                    ErrorCode = context.Report(end.Error),
                    LeaderEpoch = end.LeaderEpoch,
                    EndOffset = end.EndOffset,
                });
            }
            response.Topics.Add(answered);
        }
        return Answer.Of(response);
    }

    private static async ValueTask<EpochEnd> FindAsync(
        string topic, OffsetForLeaderEpochRequest.OffsetForLeaderPartition asked, RequestContext context)
    {
        PartitionLease lease = await context.LeaseAsync(topic, asked.Partition);
        return lease.Partition is { } partition
            ? await partition.EndOffsetForEpochAsync(asked.CurrentLeaderEpoch, asked.LeaderEpoch, context.Cancel) : new EpochEnd(lease.Error);
    }
}
