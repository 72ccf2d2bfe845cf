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
        foreach (IGrouping<(sbyte ResourceType, string ResourceName), IncrementalAlterConfigsRequest.AlterConfigsResource> same
            in request.Resources.GroupBy(static r => (r.ResourceType, r.ResourceName)))
        {
            AdminError error = same.Count() > 1
                ? new AdminError(ErrorCode.InvalidRequest, "Each resource must appear at most once.")
                : await AlterAsync(same.First(), request.ValidateOnly, context);
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

    private static async ValueTask<AdminError> AlterAsync(
        IncrementalAlterConfigsRequest.AlterConfigsResource resource, bool validateOnly, RequestContext context)
    {
        if (resource.Configs.Select(static c => c.Name).Distinct(StringComparer.Ordinal).Count() < resource.Configs.Count)
            return new AdminError(ErrorCode.InvalidRequest, "Error due to duplicate config keys");
        if (resource.Configs.Find(static c => c.ConfigOperation is < 0 or > (sbyte)ConfigOperation.Subtract) is { } unknown)
            return new AdminError(ErrorCode.InvalidRequest, $"Unknown operation type {unknown.ConfigOperation} for config {unknown.Name}");
        if (resource.Configs.Find(static c => c.Value is null && c.ConfigOperation != (sbyte)ConfigOperation.Delete) is { } empty)
            return new AdminError(ErrorCode.InvalidRequest, $"Null value not supported for : {empty.Name}");
        ConfigChange[] changes = [.. resource.Configs.Select(static c => new ConfigChange(c.Name, (ConfigOperation)c.ConfigOperation, c.Value))];
        return await context.Gateway.Engine.Topics.AlterConfigsAsync(
            (ConfigResourceType)resource.ResourceType, resource.ResourceName, changes, validateOnly, context.Cancel);
    }
}
