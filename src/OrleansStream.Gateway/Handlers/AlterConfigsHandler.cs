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
        if (resource.Configs.Select(static c => c.Name).Distinct(StringComparer.Ordinal).Count() < resource.Configs.Count)
            return new AdminError(ErrorCode.InvalidRequest, "Error due to duplicate config keys");
        if (resource.Configs.Find(static c => c.Value is null) is { } empty)
            return new AdminError(ErrorCode.InvalidRequest, $"Null value not supported for : {empty.Name}");
        Dictionary<string, string?> configs = resource.Configs.ToDictionary(static c => c.Name, static c => c.Value, StringComparer.Ordinal);
        return await context.Gateway.Engine.Topics.ReplaceConfigsAsync(
            (ConfigResourceType)resource.ResourceType, resource.ResourceName, configs, validateOnly, context.Cancel);
    }
}
