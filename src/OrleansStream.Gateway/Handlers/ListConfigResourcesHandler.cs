using OrleansStream.Broker.Topics;
using OrleansStream.Gateway.Dispatch;
using OrleansStream.Protocol;
using OrleansStream.Protocol.Messages;

namespace OrleansStream.Gateway.Handlers;

/// <summary>
/// ListConfigResources (KIP-714, KIP-1142): topics and brokers, all of them; client metrics subscriptions and groups, those that have a configuration of
/// their own, whether or not such a group has members.
/// </summary>
internal sealed class ListConfigResourcesHandler : ApiHandler<ListConfigResourcesRequest>
{
    private static readonly sbyte[] All =
    [
        (sbyte)ConfigResourceType.Topic, (sbyte)ConfigResourceType.Broker, (sbyte)ConfigResourceType.BrokerLogger,
        (sbyte)ConfigResourceType.ClientMetrics, (sbyte)ConfigResourceType.Group,
    ];

    protected override ValueTask<Answer> AnswerAsync(ListConfigResourcesRequest request, RequestContext context)
    {
        var response = new ListConfigResourcesResponse();
        // Version 0 is ListClientMetricsResources.
        sbyte[] types = context.Version == 0 ? [(sbyte)ConfigResourceType.ClientMetrics] : request.ResourceTypes is { Length: > 0 } asked ? asked : All;
        if (types.Except(All).Any())
            return ValueTask.FromResult(Answer.Of(new ListConfigResourcesResponse { ErrorCode = context.Report(ErrorCode.UnsupportedVersion) }));

        ClusterPicture cluster = context.Gateway.Engine.Cluster;
        foreach (sbyte type in types.Distinct())
        {
            IEnumerable<string> names = (ConfigResourceType)type switch
            {
                ConfigResourceType.Topic => cluster.TopicsByName.Keys,
                ConfigResourceType.Broker or ConfigResourceType.BrokerLogger => cluster.Brokers.Select(static b => $"{b.NodeId}"),
                _ => context.Gateway.Engine.Topics.ConfiguredResources((ConfigResourceType)type),
            };
            foreach (string name in names)
                response.ConfigResources.Add(new() { ResourceName = name, ResourceType = type });
        }
        return ValueTask.FromResult(Answer.Of(response));
    }
}
