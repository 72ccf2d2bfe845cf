using OrleansStream.Broker.Topics;
using OrleansStream.Gateway.Dispatch;
using OrleansStream.Protocol;
using OrleansStream.Protocol.Messages;

namespace OrleansStream.Gateway.Handlers;

/// <summary>OffsetFetch: of one group up to version 7, of several from version 8 on (KIP-709), topics by id from version 10 on (KIP-848).</summary>
internal sealed class OffsetFetchHandler : ApiHandler<OffsetFetchRequest>
{
    private const short Several = 8;
    private const short ById = 10;
    private const short HasGroupError = 2;

    protected override async ValueTask<Answer> AnswerAsync(OffsetFetchRequest request, RequestContext context)
    {
        var response = new OffsetFetchResponse();
        if (context.Version < Several)
        {
            Flatten(response, await FetchAsync(Single(request), request.RequireStable, context), request, context);
            return Answer.Of(response);
        }
        foreach (OffsetFetchRequest.OffsetFetchRequestGroup group in request.Groups)
        {
            OffsetFetchResponse.OffsetFetchResponseGroup answered = await FetchAsync(group, request.RequireStable, context);
            context.Report((ErrorCode)answered.ErrorCode);
            response.Groups.Add(answered);
        }
        return Answer.Of(response);
    }

    private static OffsetFetchRequest.OffsetFetchRequestGroup Single(OffsetFetchRequest request)
    {
        var group = new OffsetFetchRequest.OffsetFetchRequestGroup { GroupId = request.GroupId, MemberEpoch = -1 };
        group.Topics = request.Topics?.ConvertAll(t => new OffsetFetchRequest.OffsetFetchRequestTopics { Name = t.Name, PartitionIndexes = t.PartitionIndexes });
        return group;
    }

    private static async ValueTask<OffsetFetchResponse.OffsetFetchResponseGroup> FetchAsync(
        OffsetFetchRequest.OffsetFetchRequestGroup group, bool requireStable, RequestContext context)
    {
        if (context.Version < ById)
            return await context.Groups().FetchOffsetsAsync(group, requireStable);
        ClusterPicture cluster = context.Gateway.Engine.Cluster;
        List<OffsetFetchRequest.OffsetFetchRequestTopics>? asked = group.Topics;
        if (asked is not null)
        {
            group.Topics = asked.FindAll(t => cluster.TopicsById.ContainsKey(t.TopicId));
            foreach (OffsetFetchRequest.OffsetFetchRequestTopics topic in group.Topics)
                topic.Name = cluster.TopicsById[topic.TopicId].Name;
        }
        OffsetFetchResponse.OffsetFetchResponseGroup answered = await context.Groups().FetchOffsetsAsync(group, requireStable);
        if (answered.ErrorCode != 0)
            return answered;
        if (asked is null)
        {
            // An offset of a topic that is gone cannot be named any more.
            answered.Topics.RemoveAll(t => !cluster.TopicsByName.ContainsKey(t.Name));
            foreach (OffsetFetchResponse.OffsetFetchResponseTopics topic in answered.Topics)
                topic.TopicId = cluster.TopicsByName[topic.Name].Id;
            return answered;
        }
        foreach (OffsetFetchRequest.OffsetFetchRequestTopics topic in asked)
        {
            if (cluster.TopicsById.ContainsKey(topic.TopicId))
                continue;
            var missing = new OffsetFetchResponse.OffsetFetchResponseTopics { TopicId = topic.TopicId };
            foreach (int partition in topic.PartitionIndexes)
                missing.Partitions.Add(new() { PartitionIndex = partition, CommittedOffset = -1, Metadata = "", ErrorCode = context.Report(ErrorCode.UnknownTopicId) });
            answered.Topics.Add(missing);
        }
        return answered;
    }

    /// <summary>The form of the old versions. Version 1 has no error of its own for the group: each partition has it.</summary>
    private static void Flatten(
        OffsetFetchResponse response, OffsetFetchResponse.OffsetFetchResponseGroup group, OffsetFetchRequest request, RequestContext context)
    {
        response.ErrorCode = context.Report((ErrorCode)group.ErrorCode);
        foreach (OffsetFetchResponse.OffsetFetchResponseTopics topic in group.Topics)
        {
            var answered = new OffsetFetchResponse.OffsetFetchResponseTopic { Name = topic.Name };
            foreach (OffsetFetchResponse.OffsetFetchResponsePartitions partition in topic.Partitions)
            {
                answered.Partitions.Add(new()
                {
                    PartitionIndex = partition.PartitionIndex,
                    CommittedOffset = partition.CommittedOffset,
                    CommittedLeaderEpoch = partition.CommittedLeaderEpoch,
                    Metadata = partition.Metadata,
                    ErrorCode = partition.ErrorCode,
                });
            }
            response.Topics.Add(answered);
        }
        if (group.ErrorCode == 0 || context.Version >= HasGroupError)
            return;
        foreach (OffsetFetchRequest.OffsetFetchRequestTopic topic in request.Topics ?? [])
        {
            var refused = new OffsetFetchResponse.OffsetFetchResponseTopic { Name = topic.Name };
            foreach (int partition in topic.PartitionIndexes)
                refused.Partitions.Add(new() { PartitionIndex = partition, CommittedOffset = -1, Metadata = "", ErrorCode = group.ErrorCode });
            response.Topics.Add(refused);
        }
    }
}
