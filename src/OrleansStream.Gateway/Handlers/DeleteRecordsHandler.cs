using OrleansStream.Broker.Engine;
using OrleansStream.Broker.Partitions;
using OrleansStream.Gateway.Dispatch;
using OrleansStream.Protocol;
using OrleansStream.Protocol.Messages;

namespace OrleansStream.Gateway.Handlers;

/// <summary>DeleteRecords (KIP-107): raises the log start offset of partitions.</summary>
internal sealed class DeleteRecordsHandler : ApiHandler<DeleteRecordsRequest>
{
    protected override async ValueTask<Answer> AnswerAsync(DeleteRecordsRequest request, RequestContext context)
    {
        var response = new DeleteRecordsResponse();
        foreach (DeleteRecordsRequest.DeleteRecordsTopic asked in request.Topics)
        {
            var answered = new DeleteRecordsResponse.DeleteRecordsTopicResult { Name = asked.Name };
            foreach (DeleteRecordsRequest.DeleteRecordsPartition partition in asked.Partitions)
            {
                DeletedRecords deleted = await DeleteAsync(asked.Name, partition, request.TimeoutMs, context);
                answered.Partitions.Add(new()
                {
                    PartitionIndex = partition.PartitionIndex,
                    LowWatermark = deleted.LowWatermark,
                    ErrorCode = context.Report(deleted.Error),
                });
            }
            response.Topics.Add(answered);
        }
        return Answer.Of(response);
    }

    private static async ValueTask<DeletedRecords> DeleteAsync(
        string topic, DeleteRecordsRequest.DeleteRecordsPartition asked, int timeoutMs, RequestContext context)
    {
        PartitionLease lease = await context.LeaseAsync(topic, asked.PartitionIndex, timeoutMs);
        return lease.Partition is { } partition
            ? await partition.DeleteRecordsAsync(asked.Offset, context.Cancel)
            : new DeletedRecords(lease.Error, -1);
    }
}
