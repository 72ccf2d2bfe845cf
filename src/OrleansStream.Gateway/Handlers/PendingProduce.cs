using OrleansStream.Broker.Partitions;
using OrleansStream.Broker.Topics;
using OrleansStream.Gateway.Dispatch;
using OrleansStream.Protocol;
using OrleansStream.Protocol.Messages;

namespace OrleansStream.Gateway.Handlers;

/// <summary>A Produce request whose appends have begun, one for each of its partitions in its order.</summary>
internal sealed class PendingProduce(ProduceRequest request, RequestContext context) : IPendingAnswer
{
    private readonly List<Part> _parts = [];

    /// <param name="Begun">The topic where an append to the partition has begun; what was refused before has none.</param>
    private readonly record struct Part(ValueTask<AppendResult> Append, Guid? Begun);

    public int ThrottleTimeMs { get; set; }

    /// <summary>Refused before it began.</summary>
    public void Add(AppendResult result) => _parts.Add(new Part(ValueTask.FromResult(result), null));

    public void Add(Guid topic, ValueTask<AppendResult> begun) => _parts.Add(new Part(begun, topic));

    public async ValueTask<Answer> CompleteAsync()
    {
        var response = new ProduceResponse { ThrottleTimeMs = ThrottleTimeMs };
        bool failed = false;
        int next = 0;
        foreach (ProduceRequest.TopicProduceData topicData in request.TopicData)
        {
            var topic = new ProduceResponse.TopicProduceResponse { Name = topicData.Name, TopicId = topicData.TopicId };
            topic.PartitionResponses.EnsureCapacity(topicData.PartitionData.Count);
            foreach (ProduceRequest.PartitionProduceData partitionData in topicData.PartitionData)
            {
                Part part = _parts[next++];
                AppendResult result = await InTimeAsync(part.Append);
                if (part.Begun is { } begun)
                    context.Appends?.Ended(begun, partitionData.Index, result.Error);
                failed |= result.Error != ErrorCode.None;
                topic.PartitionResponses.Add(Describe(partitionData.Index, result, response, topicData));
            }
            response.Responses.Add(topic);
        }

        if (request.Acks != 0)
            return Answer.Of(response);
        // The client waits for no answer; that its connection ends is the only sign it can get.
        return failed ? Answer.Close("an append with acks=0 failed") : Answer.Silence;
    }

    /// <summary>The client's own limit: after it the outcome is unknown to the client, whatever becomes of the append.</summary>
    private ValueTask<AppendResult> InTimeAsync(ValueTask<AppendResult> append) =>
        append.IsCompleted ? append : LimitAsync(append.AsTask());

    private async ValueTask<AppendResult> LimitAsync(Task<AppendResult> append)
    {
        TimeSpan left = TimeSpan.FromMilliseconds(Math.Max(0, request.TimeoutMs)) - context.Gateway.Time.GetElapsedTime(context.StartedAt);
        try
        {
            return await append.WaitAsync(left > TimeSpan.Zero ? left : TimeSpan.Zero, context.Gateway.Time);
        }
        catch (TimeoutException)
        {
            return new AppendResult(ErrorCode.RequestTimedOut);
        }
    }

    private ProduceResponse.PartitionProduceResponse Describe(
        int index, AppendResult result, ProduceResponse response, ProduceRequest.TopicProduceData topicData)
    {
        var partition = new ProduceResponse.PartitionProduceResponse
        {
            Index = index,
            ErrorCode = context.Report(result.Error),
            BaseOffset = result.BaseOffset,
            LogAppendTimeMs = result.LogAppendTimeMs,
            LogStartOffset = result.LogStartOffset,
        };
        if (result.Error == ErrorCode.None)
            return partition;
        if (context.Version >= 8)
        {
            partition.ErrorMessage = result.ErrorMessage;
            foreach ((int batchIndex, string? message) in result.RecordErrors ?? [])
                partition.RecordErrors.Add(new() { BatchIndex = batchIndex, BatchIndexErrorMessage = message });
        }
        if (result.Error == ErrorCode.NotLeaderOrFollower && context.Version >= 10)
        {
            // KIP-951: the client learns the new leader without asking for metadata.
            ClusterPicture cluster = context.Gateway.Engine.Cluster;
            TopicPicture? topic = context.Version >= 13
                ? cluster.TopicsById.GetValueOrDefault(topicData.TopicId)
                : cluster.TopicsByName.GetValueOrDefault(topicData.Name);
            PartitionPicture leader = cluster.LeaderOf(topic, index);
            partition.CurrentLeader = new() { LeaderId = leader.LeaderId, LeaderEpoch = leader.LeaderEpoch };
            if (cluster.EndpointOf(leader.LeaderId, context.Peer) is { } node && !response.NodeEndpoints.Exists(n => n.NodeId == leader.LeaderId))
                response.NodeEndpoints.Add(new() { NodeId = leader.LeaderId, Host = node.Address.Host, Port = node.Address.Port, Rack = node.Broker.Rack });
        }
        return partition;
    }
}
