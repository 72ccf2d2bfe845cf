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
        foreach ((sbyte type, string name, AdminError error) in await AlteredResources.AlterEachAsync(
            request.Resources, static r => (r.ResourceType, r.ResourceName), r => ReplaceAsync(r, request.ValidateOnly, context)))
            response.Responses.Add(new() { ErrorCode = context.Report(error.Code), ErrorMessage = error.Message, ResourceType = type, ResourceName = name });
        return Answer.Of(response);
    }

    private static async ValueTask<AdminError> ReplaceAsync(AlterConfigsRequest.AlterConfigsResource resource, bool validateOnly, RequestContext context)
    {
        if (AlteredResources.RefuseRepeated([.. resource.Configs.Select(static c => c.Name)]) is { } repeated)
            return repeated;
        if (resource.Configs.Find(static c => c.Value is null) is { } empty)
            return new AdminError(ErrorCode.InvalidRequest, $"Null value not supported for : {empty.Name}");
        Dictionary<string, string?> configs = resource.Configs.ToDictionary(static c => c.Name, static c => c.Value, StringComparer.Ordinal);
        return await context.Gateway.Engine.Topics.ReplaceConfigsAsync(
            (ConfigResourceType)resource.ResourceType, resource.ResourceName, configs, validateOnly, context.Cancel);
    }
}
