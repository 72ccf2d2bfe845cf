using OrleansStream.Broker.Topics;
using OrleansStream.Gateway.Dispatch;
using OrleansStream.Protocol;
using OrleansStream.Protocol.Messages;

namespace OrleansStream.Gateway.Handlers;

/// <summary>OffsetDelete (KIP-496): topics and partitions that do not exist are answered here.</summary>
internal sealed class OffsetDeleteHandler : ApiHandler<OffsetDeleteRequest>
{
    protected override async ValueTask<Answer> AnswerAsync(OffsetDeleteRequest request, RequestContext context)
    {
        ClusterPicture cluster = context.Gateway.Engine.Cluster;
        var missing = new List<(string Topic, int Partition)>();
        foreach (OffsetDeleteRequest.OffsetDeleteRequestTopic topic in request.Topics)
        {
            int partitions = cluster.TopicsByName.GetValueOrDefault(topic.Name)?.Partitions.Count ?? 0;
            missing.AddRange(topic.Partitions.Where(p => (uint)p.PartitionIndex >= (uint)partitions).Select(p => (topic.Name, p.PartitionIndex)));
            topic.Partitions.RemoveAll(p => (uint)p.PartitionIndex >= (uint)partitions);
        }
        request.Topics.RemoveAll(static t => t.Partitions.Count == 0);
        OffsetDeleteResponse response = await context.Groups().DeleteOffsetsAsync(request);
        context.Report((ErrorCode)response.ErrorCode);
        if (response.ErrorCode != 0)
            return Answer.Of(response);
        foreach ((string name, int partition) in missing)
        {
            OffsetDeleteResponse.OffsetDeleteResponseTopic? topic = response.Topics.Find(t => t.Name == name);
            if (topic is null)
                response.Topics.Add(topic = new() { Name = name });
            topic.Partitions.Add(new() { PartitionIndex = partition, ErrorCode = context.Report(ErrorCode.UnknownTopicOrPartition) });
        }
        return Answer.Of(response);
    }
}
