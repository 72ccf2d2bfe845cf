using OrleansStream.Broker.Topics;
using OrleansStream.Gateway.Dispatch;
using OrleansStream.Protocol;
using OrleansStream.Protocol.Messages;

namespace OrleansStream.Gateway.Handlers;

/// <summary>IncrementalAlterConfigs (KIP-339): sets, deletes, appends and subtracts values.</summary>
internal sealed class IncrementalAlterConfigsHandler : ApiHandler<IncrementalAlterConfigsRequest>
{
    protected override async ValueTask<Answer> AnswerAsync(IncrementalAlterConfigsRequest request, RequestContext context)
    {
        var response = new IncrementalAlterConfigsResponse();
        foreach ((sbyte type, string name, AdminError error) in await AlteredResources.AlterEachAsync(
            request.Resources, static r => (r.ResourceType, r.ResourceName), r => AlterAsync(r, request.ValidateOnly, context)))
            response.Responses.Add(new() { ErrorCode = context.Report(error.Code), ErrorMessage = error.Message, ResourceType = type, ResourceName = name });
        return Answer.Of(response);
    }

    private static async ValueTask<AdminError> AlterAsync(
        IncrementalAlterConfigsRequest.AlterConfigsResource resource, bool validateOnly, RequestContext context)
    {
        if (AlteredResources.RefuseRepeated([.. resource.Configs.Select(static c => c.Name)]) is { } repeated)
            return repeated;
        if (resource.Configs.Find(static c => c.ConfigOperation is < 0 or > (sbyte)ConfigOperation.Subtract) is { } unknown)
            return new AdminError(ErrorCode.InvalidRequest, $"Unknown operation type {unknown.ConfigOperation} for config {unknown.Name}");
        if (resource.Configs.Find(static c => c.Value is null && c.ConfigOperation != (sbyte)ConfigOperation.Delete) is { } empty)
            return new AdminError(ErrorCode.InvalidRequest, $"Null value not supported for : {empty.Name}");
        ConfigChange[] changes = [.. resource.Configs.Select(static c => new ConfigChange(c.Name, (ConfigOperation)c.ConfigOperation, c.Value))];
        return await context.Gateway.Engine.Topics.AlterConfigsAsync(
            (ConfigResourceType)resource.ResourceType, resource.ResourceName, changes, validateOnly, context.Cancel);
    }
}
