using OrleansStream.Broker.Topics;
using OrleansStream.Gateway.Dispatch;
using OrleansStream.Protocol;
using OrleansStream.Protocol.Messages;

namespace OrleansStream.Gateway.Handlers;

/// <summary>CreatePartitions: raises the partition counts of topics.</summary>
internal sealed class CreatePartitionsHandler : ApiHandler<CreatePartitionsRequest>
{
    protected override async ValueTask<Answer> AnswerAsync(CreatePartitionsRequest request, RequestContext context)
    {
        var response = new CreatePartitionsResponse();
        foreach (IGrouping<string, CreatePartitionsRequest.CreatePartitionsTopic> named in request.Topics.GroupBy(static t => t.Name, StringComparer.Ordinal))
        {
            CreatePartitionsRequest.CreatePartitionsTopic topic = named.First();
            AdminError error = named.Count() > 1
                ? new AdminError(ErrorCode.InvalidRequest, "Duplicate topic name.")
                : await context.Gateway.Engine.Topics.AddPartitionsAsync(
                    topic.Name, topic.Count, Assignments(topic), request.ValidateOnly, context.Cancel);
            response.Results.Add(new() { Name = topic.Name, ErrorCode = context.Report(error.Code), ErrorMessage = error.Message });
        }
        return Answer.Of(response);
    }

    private static IReadOnlyList<IReadOnlyList<int>>? Assignments(CreatePartitionsRequest.CreatePartitionsTopic topic) =>
        topic.Assignments is { Count: > 0 } assignments ? [.. assignments.Select(static a => (IReadOnlyList<int>)a.BrokerIds)] : null;
}
