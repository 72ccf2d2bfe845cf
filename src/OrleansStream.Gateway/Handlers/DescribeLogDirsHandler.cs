using OrleansStream.Broker.Engine;
using OrleansStream.Broker.Topics;
using OrleansStream.Gateway.Dispatch;
using OrleansStream.Protocol.Messages;

namespace OrleansStream.Gateway.Handlers;

/// <summary>DescribeLogDirs (KIP-113): one log directory, the store, with the size of each partition.</summary>
internal sealed class DescribeLogDirsHandler : ApiHandler<DescribeLogDirsRequest>
{
    protected override async ValueTask<Answer> AnswerAsync(DescribeLogDirsRequest request, RequestContext context)
    {
        ClusterPicture cluster = context.Gateway.Engine.Cluster;
        var directory = new DescribeLogDirsResponse.DescribeLogDirsResult { LogDir = context.Gateway.Options.LogDirectory };
        if (request.Topics is { } asked)
        {
            foreach (DescribeLogDirsRequest.DescribableLogDirTopic topic in asked)
            {
                if (cluster.TopicsByName.TryGetValue(topic.Topic, out TopicPicture? known))
                    await AddAsync(directory, known, topic.Partitions, context);
            }
        }
        else
        {
            foreach (TopicPicture topic in cluster.TopicsByName.Values)
                await AddAsync(directory, topic, Enumerable.Range(0, topic.Partitions.Count), context);
        }
        var response = new DescribeLogDirsResponse();
        response.Results.Add(directory);
        return Answer.Of(response);
    }

    private static async ValueTask AddAsync(
        DescribeLogDirsResponse.DescribeLogDirsResult directory, TopicPicture topic, IEnumerable<int> partitions, RequestContext context)
    {
        var described = new DescribeLogDirsResponse.DescribeLogDirsTopic { Name = topic.Name };
        foreach (int index in partitions)
        {
            if ((uint)index >= (uint)topic.Partitions.Count)
                continue;
            PartitionLease lease = await context.LeaseAsync(topic, index);
            if (lease.Partition is { } partition && await partition.SizeAsync(context.Cancel) is { } bytes)
                described.Partitions.Add(new() { PartitionIndex = index, PartitionSize = bytes });
        }
        directory.Topics.Add(described);
    }
}
