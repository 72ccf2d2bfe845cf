using System.Buffers;
using OrleansStream.Broker.Engine;
using OrleansStream.Broker.Partitions;
using OrleansStream.Broker.Topics;
using OrleansStream.Gateway.Dispatch;
using OrleansStream.Protocol;
using OrleansStream.Protocol.Messages;

namespace OrleansStream.Gateway.Handlers;

/// <summary>
/// Produce: appends start in the order of the requests; answers follow as the journal keeps its promise. Versions 0 to 2 are advertised and refused,
/// as Kafka does: older librdkafka takes a broker without them for one that cannot compress.
/// </summary>
internal sealed class ProduceHandler : ApiHandler<ProduceRequest>, IPipelinedHandler
{
    /// <summary>Who may write to internal topics, as in Kafka: a name, no protection. Their coordinators cannot load what they do not understand.</summary>
    private const string AdminClientId = "__admin_client";

    public override short AdvertisedMinVersion => 0;

    public override bool IsBrief => true;

    protected override ValueTask<Answer> AnswerAsync(ProduceRequest request, RequestContext context) =>
        throw new InvalidOperationException("Produce is pipelined");

    public async ValueTask<IPendingAnswer> StartAsync(IMessage message, RequestContext context)
    {
        var request = (ProduceRequest)message;
        var pending = new PendingProduce(request, context);
        // Not cancelled when the client goes: a request that has arrived counts, whoever waits for it.
        pending.ThrottleTimeMs = await context.Gateway.Engine.AdmitAsync(RecordBytes(request), CancellationToken.None);
        foreach (ProduceRequest.TopicProduceData topicData in request.TopicData)
        {
            ClusterPicture cluster = context.Gateway.Engine.Cluster;
            ErrorCode unknown = FindTopic(cluster, topicData, context.Version, out TopicPicture? topic);
            foreach (ProduceRequest.PartitionProduceData partitionData in topicData.PartitionData)
            {
                ErrorCode error = topic is null ? unknown : Refusal(request, topic, partitionData.Index, context);
                if (error != ErrorCode.None)
                {
                    pending.Add(new AppendResult(error, ErrorMessage: Explain(error)));
                    continue;
                }
                if (context.Appends is { } before && before.IsBehind(topic!.Id, partitionData.Index))
                {
                    pending.Add(new AppendResult(ErrorCode.NotLeaderOrFollower));
                    continue;
                }
                ValueTask<PartitionLease> leasing = context.LeaseAsync(topic!, partitionData.Index, request.TimeoutMs);
                bool waited = !leasing.IsCompleted;
                PartitionLease lease = await leasing;
                if (lease.Partition is not { } partition || lease.Error != ErrorCode.None)
                {
                    pending.Add(new AppendResult(lease.Error));
                    context.Appends?.Refused(topic!.Id, partitionData.Index);
                }
                else if (context.Appends is { } order && !order.TryBegin(topic!.Id, partitionData.Index, partition, waited))
                {
                    pending.Add(new AppendResult(ErrorCode.NotLeaderOrFollower));
                }
                else
                {
                    pending.Add(topic!.Id, partition.AppendAsync(partitionData.Records ?? ReadOnlySequence<byte>.Empty, (Acks)request.Acks, context.Version));
                }
                // The frame is reused once this has started.
                partitionData.Records = null;
            }
        }
        return pending;
    }

    private static int RecordBytes(ProduceRequest request)
    {
        long bytes = 0;
        foreach (ProduceRequest.TopicProduceData topic in request.TopicData)
        {
            foreach (ProduceRequest.PartitionProduceData partition in topic.PartitionData)
                bytes += partition.Records?.Length ?? 0;
        }
        return checked((int)bytes);
    }

    private static ErrorCode FindTopic(ClusterPicture cluster, ProduceRequest.TopicProduceData data, short version, out TopicPicture? topic)
    {
        if (version >= 13)
            return cluster.TopicsById.TryGetValue(data.TopicId, out topic) ? ErrorCode.None : ErrorCode.UnknownTopicId;
        return cluster.TopicsByName.TryGetValue(data.Name, out topic) ? ErrorCode.None : ErrorCode.UnknownTopicOrPartition;
    }

    private static ErrorCode Refusal(ProduceRequest request, TopicPicture topic, int index, RequestContext context)
    {
        if (request.Acks is not (-1 or 0 or 1))
            return ErrorCode.InvalidRequiredAcks;
        if (request.TransactionalId is not null)
            return ErrorCode.InvalidTxnState;
        if (topic.Internal && context.ClientId != AdminClientId)
            return ErrorCode.InvalidTopicException;
        return (uint)index < (uint)topic.Partitions.Count ? ErrorCode.None : ErrorCode.UnknownTopicOrPartition;
    }

    private static string? Explain(ErrorCode error) => error switch
    {
        ErrorCode.InvalidTxnState => "This broker does not serve transactions yet.",
        ErrorCode.InvalidRequiredAcks => "acks must be -1, 0 or 1.",
        ErrorCode.InvalidTopicException => "Internal topics are written by their coordinators only.",
        _ => null,
    };
}
