using OrleansStream.Broker.Topics;
using OrleansStream.Gateway.Dispatch;
using OrleansStream.Protocol;
using OrleansStream.Protocol.Messages;

namespace OrleansStream.Gateway.Handlers;

/// <summary>Metadata: brokers, topics and leaders; makes topics that are not there where client and broker allow it (KIP-204, KIP-516).</summary>
internal sealed class MetadataHandler : ApiHandler<MetadataRequest>
{
    protected override async ValueTask<Answer> AnswerAsync(MetadataRequest request, RequestContext context)
    {
        var response = new MetadataResponse();
        List<MetadataRequest.MetadataRequestTopic>? asked = request.Topics;
        if (context.Version == 0 && asked is { Count: 0 })
            asked = null;
        if (asked is not null && asked.Exists(t => context.Version < 12 ? t.Name is null || t.TopicId != Guid.Empty : t.Name is null && t.TopicId == Guid.Empty))
            return Answer.Of(RefuseIds(asked, context));
        if (asked is not null)
        {
            bool byId = asked.Exists(static t => t.TopicId != Guid.Empty);
            if (byId)
                AddById(asked, response, context);
            else
                await AddByNameAsync(asked, request, response, context);
        }
        else
        {
            ClusterPicture all = context.Gateway.Engine.Cluster;
            foreach (TopicPicture topic in all.TopicsByName.Values)
                response.Topics.Add(Describe(all, topic, context));
        }

        AddCluster(request, response, context);
        if (request.IncludeTopicAuthorizedOperations)
        {
            foreach (MetadataResponse.MetadataResponseTopic topic in response.Topics)
                topic.TopicAuthorizedOperations = PictureExtensions.AllTopicOperations;
        }
        return Answer.Of(response);
    }

    private static void AddCluster(MetadataRequest request, MetadataResponse response, RequestContext context)
    {
        ClusterPicture cluster = context.Gateway.Engine.Cluster;
        response.ClusterId = cluster.ClusterId;
        response.ControllerId = cluster.ControllerId;
        foreach (BrokerPicture broker in cluster.Brokers)
        {
            if (broker.AddressFor(context.Peer) is { } address)
                response.Brokers.Add(new() { NodeId = broker.NodeId, Host = address.Host, Port = address.Port, Rack = broker.Rack });
        }
        if (request.IncludeClusterAuthorizedOperations)
            response.ClusterAuthorizedOperations = PictureExtensions.AllClusterOperations;
    }

    // Versions 10 and 11 have the fields, but their answers could not name a topic that is not there. The refusal names no broker, as Kafka's does.
    private static MetadataResponse RefuseIds(List<MetadataRequest.MetadataRequestTopic> asked, RequestContext context)
    {
        var response = new MetadataResponse { ErrorCode = context.Report(ErrorCode.InvalidRequest) };
        foreach (MetadataRequest.MetadataRequestTopic topic in asked)
            response.Topics.Add(new() { Name = topic.Name ?? "", TopicId = topic.TopicId, ErrorCode = context.Report(ErrorCode.InvalidRequest) });
        return response;
    }

    private static void AddById(List<MetadataRequest.MetadataRequestTopic> asked, MetadataResponse response, RequestContext context)
    {
        ClusterPicture cluster = context.Gateway.Engine.Cluster;
        foreach (Guid id in asked.Select(static t => t.TopicId).Where(static id => id != Guid.Empty).Distinct())
        {
            response.Topics.Add(cluster.TopicsById.TryGetValue(id, out TopicPicture? topic)
                ? Describe(cluster, topic, context)
                : new() { Name = null, TopicId = id, ErrorCode = context.Report(ErrorCode.UnknownTopicId) });
        }
    }

    private static async ValueTask AddByNameAsync(
        List<MetadataRequest.MetadataRequestTopic> asked, MetadataRequest request, MetadataResponse response, RequestContext context)
    {
        bool create = request.AllowAutoTopicCreation && context.Gateway.Options.AutoCreateTopics;
        foreach (string name in asked.Select(static t => t.Name!).Distinct(StringComparer.Ordinal))
        {
            ClusterPicture cluster = context.Gateway.Engine.Cluster;
            ErrorCode error = ErrorCode.UnknownTopicOrPartition;
            if (!cluster.TopicsByName.TryGetValue(name, out TopicPicture? topic))
            {
                if (TopicNames.Check(name) is { Failed: true } invalid)
                    error = invalid.Code;
                else if (create)
                    (error, topic) = await CreateAsync(name, context);
            }
            if (topic is not null)
                context.Gateway.Engine.Touch(topic);
            response.Topics.Add(topic is not null
                ? Describe(context.Gateway.Engine.Cluster, topic, context)
                : new() { Name = name, ErrorCode = context.Report(error) });
        }
    }

    private static async ValueTask<(ErrorCode Error, TopicPicture? Topic)> CreateAsync(string name, RequestContext context)
    {
        CreateTopicOutcome outcome = await context.Gateway.Engine.Topics.AutoCreateAsync(name, context.Cancel);
        return (outcome.Error.Code, outcome.Error.Failed ? null : outcome.Topic);
    }

    private static MetadataResponse.MetadataResponseTopic Describe(ClusterPicture cluster, TopicPicture topic, RequestContext context)
    {
        var described = new MetadataResponse.MetadataResponseTopic { Name = topic.Name, TopicId = topic.Id, IsInternal = topic.Internal };
        described.Partitions.EnsureCapacity(topic.Partitions.Count);
        for (int index = 0; index < topic.Partitions.Count; index++)
        {
            PartitionPicture partition = cluster.LeaderOf(topic, index);
            int[] replicas = cluster.Replicas(topic, partition);
            described.Partitions.Add(new()
            {
                PartitionIndex = index,
                ErrorCode = partition.LeaderId >= 0 ? (short)0 : context.Report(ErrorCode.LeaderNotAvailable),
                LeaderId = partition.LeaderId,
                LeaderEpoch = partition.LeaderEpoch,
                ReplicaNodes = replicas,
                IsrNodes = replicas,
            });
        }
        return described;
    }
}
