using OrleansStream.Broker.Engine;
using OrleansStream.Broker.Topics;
using OrleansStream.Gateway.Dispatch;
using OrleansStream.Protocol;
using OrleansStream.Protocol.Messages;

namespace OrleansStream.Gateway.Handlers;

/// <summary>
/// AlterReplicaLogDirs (KIP-113). There is one log directory, the one that DescribeLogDirs names: a partition that is sent there is there already. Tools
/// send this when they take back a reassignment.
/// </summary>
internal sealed class AlterReplicaLogDirsHandler : ApiHandler<AlterReplicaLogDirsRequest>
{
    protected override async ValueTask<Answer> AnswerAsync(AlterReplicaLogDirsRequest request, RequestContext context)
    {
        var response = new AlterReplicaLogDirsResponse();
        foreach (AlterReplicaLogDirsRequest.AlterReplicaLogDir directory in request.Dirs)
        {
            bool here = directory.Path == context.Gateway.Options.LogDirectory;
            foreach (AlterReplicaLogDirsRequest.AlterReplicaLogDirTopic topic in directory.Topics)
            {
                var result = new AlterReplicaLogDirsResponse.AlterReplicaLogDirTopicResult { TopicName = topic.Name };
                foreach (int index in topic.Partitions)
                {
                    ErrorCode error = here ? await FindAsync(topic.Name, index, context) : ErrorCode.LogDirNotFound;
                    result.Partitions.Add(new() { PartitionIndex = index, ErrorCode = context.Report(error) });
                }
                response.Results.Add(result);
            }
        }
        return Answer.Of(response);
    }

    private static async ValueTask<ErrorCode> FindAsync(string name, int index, RequestContext context) =>
        context.Gateway.Engine.Cluster.TopicsByName.TryGetValue(name, out TopicPicture? topic)
            ? (await context.Gateway.Engine.GetPartitionAsync(topic, index, context.Cancel)).Error
            : ErrorCode.UnknownTopicOrPartition;
}
