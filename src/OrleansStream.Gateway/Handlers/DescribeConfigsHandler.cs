using OrleansStream.Broker.Topics;
using OrleansStream.Gateway.Dispatch;
using OrleansStream.Protocol.Messages;

namespace OrleansStream.Gateway.Handlers;

/// <summary>DescribeConfigs (KIP-133, KIP-226): effective values, where they come from, and what would apply instead.</summary>
internal sealed class DescribeConfigsHandler : ApiHandler<DescribeConfigsRequest>
{
    protected override async ValueTask<Answer> AnswerAsync(DescribeConfigsRequest request, RequestContext context)
    {
        var response = new DescribeConfigsResponse();
        foreach (DescribeConfigsRequest.DescribeConfigsResource resource in request.Resources)
        {
            (AdminError error, IReadOnlyList<ConfigEntry> entries) = await context.Gateway.Engine.Topics.DescribeConfigsAsync(
                (ConfigResourceType)resource.ResourceType, resource.ResourceName, resource.ConfigurationKeys, context.Cancel);
            var result = new DescribeConfigsResponse.DescribeConfigsResult
            {
                ErrorCode = context.Report(error.Code),
                ErrorMessage = error.Message,
                ResourceType = resource.ResourceType,
                ResourceName = resource.ResourceName,
            };
            if (!error.Failed)
            {
                foreach (ConfigEntry entry in entries)
                    result.Configs.Add(Describe(entry, request));
            }
            response.Results.Add(result);
        }
        return Answer.Of(response);
    }

    private static DescribeConfigsResponse.DescribeConfigsResourceResult Describe(ConfigEntry entry, DescribeConfigsRequest request)
    {
        var described = new DescribeConfigsResponse.DescribeConfigsResourceResult
        {
            Name = entry.Name,
            Value = entry.Sensitive ? null : entry.Value,
            ReadOnly = entry.ReadOnly,
            ConfigSource = (sbyte)entry.Source,
            IsSensitive = entry.Sensitive,
            ConfigType = (sbyte)entry.Type,
            Documentation = request.IncludeDocumentation ? entry.Documentation : null,
        };
        if (request.IncludeSynonyms)
        {
            foreach ((string name, string? value, ConfigSource source) in entry.Synonyms)
                described.Synonyms.Add(new() { Name = name, Value = entry.Sensitive ? null : value, Source = (sbyte)source });
        }
        return described;
    }
}
