using OrleansStream.Broker.Topics;
using OrleansStream.Gateway.Dispatch;
using OrleansStream.Protocol;
using OrleansStream.Protocol.Messages;

namespace OrleansStream.Gateway.Handlers;

/// <summary>
/// OffsetCommit. Topics and partitions that do not exist are answered here; the group's coordinator gets the others, with names and ids. Commits of one
/// connection begin in their order and do not wait for each other's journal commit, which a consumer that commits without waiting would otherwise pay for each.
/// </summary>
internal sealed class OffsetCommitHandler : ApiHandler<OffsetCommitRequest>, IPipelinedHandler
{
    private const short ById = 10;

    public override bool IsBrief => true;

    protected override ValueTask<Answer> AnswerAsync(OffsetCommitRequest request, RequestContext context) =>
        throw new InvalidOperationException("OffsetCommit is pipelined");

    public async ValueTask<IPendingAnswer> StartAsync(IMessage message, RequestContext context)
    {
        var request = (OffsetCommitRequest)message;
        ClusterPicture cluster = context.Gateway.Engine.Cluster;
        List<OffsetCommitRequest.OffsetCommitRequestTopic> asked = request.Topics;
        var known = new List<OffsetCommitRequest.OffsetCommitRequestTopic>(asked.Count);
        var unknown = new Dictionary<(string, Guid), List<OffsetCommitResponse.OffsetCommitResponsePartition>>();
        foreach (OffsetCommitRequest.OffsetCommitRequestTopic topic in asked)
            Sort(cluster, topic, context, known, unknown);

        request.Topics = known;
        Task<OffsetCommitResponse> committing = known.Count > 0 || asked.Count == 0
            ? await context.Groups().BeginCommitAsync(context.GroupClient(), request)
            : Task.FromResult(new OffsetCommitResponse());
        return new PendingCommit(committing, unknown, context);
    }

    private sealed class PendingCommit(
        Task<OffsetCommitResponse> committing, Dictionary<(string, Guid), List<OffsetCommitResponse.OffsetCommitResponsePartition>> unknown, RequestContext context)
        : IPendingAnswer
    {
        public async ValueTask<Answer> CompleteAsync() => Answered(await committing, unknown, context);
    }

    private static Answer Answered(
        OffsetCommitResponse response, Dictionary<(string, Guid), List<OffsetCommitResponse.OffsetCommitResponsePartition>> unknown, RequestContext context)
    {
        foreach (((string name, Guid id), List<OffsetCommitResponse.OffsetCommitResponsePartition> partitions) in unknown)
        {
            OffsetCommitResponse.OffsetCommitResponseTopic? there = response.Topics.Find(t => t.Name == name && (id == Guid.Empty || t.TopicId == id));
            if (there is null)
                response.Topics.Add(there = new() { Name = name, TopicId = id });
            there.Partitions.AddRange(partitions);
        }
        foreach (OffsetCommitResponse.OffsetCommitResponseTopic topic in response.Topics)
        {
            foreach (OffsetCommitResponse.OffsetCommitResponsePartition partition in topic.Partitions)
                context.Report((ErrorCode)partition.ErrorCode);
        }
        return Answer.Of(response);
    }

    private static void Sort(
        ClusterPicture cluster, OffsetCommitRequest.OffsetCommitRequestTopic topic, RequestContext context,
        List<OffsetCommitRequest.OffsetCommitRequestTopic> known, Dictionary<(string, Guid), List<OffsetCommitResponse.OffsetCommitResponsePartition>> unknown)
    {
        bool byId = context.Version >= ById;
        TopicPicture? picture = byId ? cluster.TopicsById.GetValueOrDefault(topic.TopicId) : cluster.TopicsByName.GetValueOrDefault(topic.Name);
        Guid askedId = topic.TopicId;
        if (picture is not null)
            (topic.Name, topic.TopicId) = (picture.Name, picture.Id);
        for (int i = topic.Partitions.Count - 1; i >= 0; i--)
        {
            int index = topic.Partitions[i].PartitionIndex;
            if (picture is not null && (uint)index < (uint)picture.Partitions.Count)
                continue;
            ErrorCode error = picture is null && byId ? ErrorCode.UnknownTopicId : ErrorCode.UnknownTopicOrPartition;
            (string, Guid) key = (topic.Name, byId ? askedId : Guid.Empty);
            if (!unknown.TryGetValue(key, out List<OffsetCommitResponse.OffsetCommitResponsePartition>? partitions))
                unknown[key] = partitions = [];
            partitions.Insert(0, new() { PartitionIndex = index, ErrorCode = (short)error });
            topic.Partitions.RemoveAt(i);
        }
        if (topic.Partitions.Count > 0)
            known.Add(topic);
    }
}
