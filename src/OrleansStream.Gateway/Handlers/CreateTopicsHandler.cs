using OrleansStream.Broker.Topics;
using OrleansStream.Gateway.Dispatch;
using OrleansStream.Protocol;
using OrleansStream.Protocol.Messages;

namespace OrleansStream.Gateway.Handlers;

/// <summary>CreateTopics: each topic by itself; one that fails leaves the others.</summary>
internal sealed class CreateTopicsHandler : ApiHandler<CreateTopicsRequest>
{
    protected override async ValueTask<Answer> AnswerAsync(CreateTopicsRequest request, RequestContext context)
    {
        var response = new CreateTopicsResponse();
        foreach (IGrouping<string, CreateTopicsRequest.CreatableTopic> named in request.Topics.GroupBy(static t => t.Name, StringComparer.Ordinal))
        {
            CreateTopicsRequest.CreatableTopic topic = named.First();
            CreateTopicOutcome outcome = named.Count() > 1
                ? Refused(ErrorCode.InvalidRequest, "Duplicate topic name.")
                : await CreateAsync(topic, request.ValidateOnly, context);
            response.Topics.Add(Describe(topic.Name, outcome, context));
        }
        return Answer.Of(response);
    }

    private static async ValueTask<CreateTopicOutcome> CreateAsync(CreateTopicsRequest.CreatableTopic topic, bool validateOnly, RequestContext context)
    {
        var configs = new Dictionary<string, string?>(StringComparer.Ordinal);
        foreach (CreateTopicsRequest.CreatableTopicConfig config in topic.Configs)
            configs[config.Name] = config.Value;
        (int, IReadOnlyList<int>)[] assignments =
            [.. topic.Assignments.Select(static a => (a.PartitionIndex, (IReadOnlyList<int>)a.BrokerIds))];
        var wanted = new NewTopic(topic.Name, topic.NumPartitions, topic.ReplicationFactor, assignments, configs);
        return await context.Gateway.Engine.Topics.CreateAsync(wanted, validateOnly, context.Cancel);
    }

    private static CreateTopicOutcome Refused(ErrorCode error, string message) => new(new AdminError(error, message), null, []);

    private static CreateTopicsResponse.CreatableTopicResult Describe(string name, CreateTopicOutcome outcome, RequestContext context)
    {
        var result = new CreateTopicsResponse.CreatableTopicResult
        {
            Name = name,
            ErrorCode = context.Report(outcome.Error.Code),
            ErrorMessage = outcome.Error.Message,
        };
        if (outcome.Error.Failed || outcome.Topic is not { } topic)
            return result;
        result.TopicId = topic.Id;
        result.NumPartitions = topic.Partitions.Count;
        result.ReplicationFactor = topic.ReplicationFactor;
        foreach (ConfigEntry entry in outcome.Configs)
        {
            result.Configs!.Add(new()
            {
                Name = entry.Name,
                Value = entry.Value,
                ReadOnly = entry.ReadOnly,
                ConfigSource = (sbyte)entry.Source,
                IsSensitive = entry.Sensitive,
            });
        }
        return result;
    }
}
