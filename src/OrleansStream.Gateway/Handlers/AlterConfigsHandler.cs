using OrleansStream.Broker.Topics;
using OrleansStream.Gateway.Dispatch;
using OrleansStream.Protocol;
using OrleansStream.Protocol.Messages;

namespace OrleansStream.Gateway.Handlers;

/// <summary>
/// AlterConfigs, the older form (KIP-133): the values given are all that the resource has afterwards. Old admin clients still send it.
/// </summary>
internal sealed class AlterConfigsHandler : ApiHandler<AlterConfigsRequest>
{
    protected override async ValueTask<Answer> AnswerAsync(AlterConfigsRequest request, RequestContext context)
    {
        var response = new AlterConfigsResponse();
        foreach (IGrouping<(sbyte ResourceType, string ResourceName), AlterConfigsRequest.AlterConfigsResource> same
            in request.Resources.GroupBy(static r => (r.ResourceType, r.ResourceName)))
        {
            AdminError error = same.Count() > 1
                ? new AdminError(ErrorCode.InvalidRequest, "Each resource must appear at most once.")
                : await ReplaceAsync(same.First(), request.ValidateOnly, context);
            response.Responses.Add(new()
            {
                ErrorCode = context.Report(error.Code),
                ErrorMessage = error.Message,
                ResourceType = same.Key.ResourceType,
                ResourceName = same.Key.ResourceName,
            });
        }
        return Answer.Of(response);
    }

    private static async ValueTask<AdminError> ReplaceAsync(AlterConfigsRequest.AlterConfigsResource resource, bool validateOnly, RequestContext context)
    {
        ITopicAdmin admin = context.Gateway.Engine.Topics;
        var type = (ConfigResourceType)resource.ResourceType;
        if (resource.Configs.Select(static c => c.Name).Distinct(StringComparer.Ordinal).Count() < resource.Configs.Count)
            return new AdminError(ErrorCode.InvalidRequest, "Error due to duplicate config keys");
        if (resource.Configs.Find(static c => c.Value is null) is { } empty)
            return new AdminError(ErrorCode.InvalidRequest, $"Null value not supported for : {empty.Name}");
        (AdminError error, IReadOnlyList<ConfigEntry> entries) = await admin.DescribeConfigsAsync(type, resource.ResourceName, null, context.Cancel);
        if (error.Failed)
            return error;

        var changes = resource.Configs.Select(static c => new ConfigChange(c.Name, ConfigOperation.Set, c.Value)).ToList();
        foreach (ConfigEntry entry in entries)
        {
            if (IsOwn(entry.Source, resource.ResourceName) && !resource.Configs.Exists(c => c.Name == entry.Name))
                changes.Add(new ConfigChange(entry.Name, ConfigOperation.Delete, null));
        }
        return await admin.AlterConfigsAsync(type, resource.ResourceName, changes, validateOnly, context.Cancel);
    }

    private static bool IsOwn(ConfigSource source, string resourceName) => source switch
    {
        ConfigSource.DynamicTopic or ConfigSource.DynamicBroker or ConfigSource.Group or ConfigSource.ClientMetrics => true,
        // Brokers' common defaults are the resource without a name.
        ConfigSource.DynamicDefaultBroker => resourceName.Length == 0,
        _ => false,
    };
}
