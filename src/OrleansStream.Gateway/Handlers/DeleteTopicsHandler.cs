using OrleansStream.Broker.Topics;
using OrleansStream.Gateway.Dispatch;
using OrleansStream.Protocol;
using OrleansStream.Protocol.Messages;

namespace OrleansStream.Gateway.Handlers;

/// <summary>DeleteTopics, by name or (from version 6 on, KIP-516) by topic id.</summary>
internal sealed class DeleteTopicsHandler : ApiHandler<DeleteTopicsRequest>
{
    private readonly record struct Asked(string? Name, Guid Id);

    protected override async ValueTask<Answer> AnswerAsync(DeleteTopicsRequest request, RequestContext context)
    {
        List<Asked> asked = context.Version >= 6
            ? [.. request.Topics.Select(static t => new Asked(t.Name, t.TopicId))]
            : [.. request.TopicNames.Select(static name => new Asked(name, Guid.Empty))];
        var response = new DeleteTopicsResponse();
        foreach (IGrouping<Asked, Asked> same in asked.GroupBy(static a => a))
        {
            (AdminError error, TopicPicture? topic) = same.Count() > 1
                ? (new AdminError(ErrorCode.InvalidRequest, "The topic was named more than once."), null)
                : Find(same.Key, context);
            if (!error.Failed)
                error = await context.Gateway.Engine.Topics.DeleteAsync(topic!, context.Cancel);
            response.Responses.Add(new()
            {
                Name = topic?.Name ?? same.Key.Name,
                TopicId = topic?.Id ?? same.Key.Id,
                ErrorCode = context.Report(error.Code),
                ErrorMessage = context.Version >= 5 ? error.Message : null,
            });
        }
        return Answer.Of(response);
    }

    private static (AdminError Error, TopicPicture? Topic) Find(Asked asked, RequestContext context)
    {
        ClusterPicture cluster = context.Gateway.Engine.Cluster;
        if (asked.Name is not null && asked.Id != Guid.Empty)
            return (new AdminError(ErrorCode.InvalidRequest, "You may not specify both topic name and topic id."), null);
        if (asked.Name is null && asked.Id == Guid.Empty)
            return (new AdminError(ErrorCode.InvalidRequest, "Neither topic name nor id were specified."), null);
        if (asked.Name is null)
        {
            return cluster.TopicsById.TryGetValue(asked.Id, out TopicPicture? byId)
                ? (AdminError.None, byId)
                : (new AdminError(ErrorCode.UnknownTopicId, "This server does not host this topic ID."), null);
        }
        return cluster.TopicsByName.TryGetValue(asked.Name, out TopicPicture? byName)
            ? (AdminError.None, byName)
            : (new AdminError(ErrorCode.UnknownTopicOrPartition, "This server does not host this topic-partition."), null);
    }
}
