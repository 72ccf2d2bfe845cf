using OrleansStream.Broker.Engine;
using OrleansStream.Broker.Partitions;
using OrleansStream.Broker.Topics;
using OrleansStream.Gateway.Dispatch;
using OrleansStream.Protocol;
using OrleansStream.Protocol.Messages;

namespace OrleansStream.Gateway.Handlers;

/// <summary>DescribeProducers (KIP-664): the producers that partitions remember. No transaction is under way until transactions exist.</summary>
internal sealed class DescribeProducersHandler : ApiHandler<DescribeProducersRequest>
{
    protected override async ValueTask<Answer> AnswerAsync(DescribeProducersRequest request, RequestContext context)
    {
        var response = new DescribeProducersResponse();
        foreach (DescribeProducersRequest.TopicRequest asked in request.Topics)
        {
            var answered = new DescribeProducersResponse.TopicResponse { Name = asked.Name };
            AdminError bad = TopicNames.Check(asked.Name);
            foreach (int index in asked.PartitionIndexes)
                answered.Partitions.Add(bad.Failed ? Refused(index, bad, context) : await DescribeAsync(asked.Name, index, context));
            response.Topics.Add(answered);
        }
        return Answer.Of(response);
    }

    private static async ValueTask<DescribeProducersResponse.PartitionResponse> DescribeAsync(string topic, int index, RequestContext context)
    {
        PartitionLease lease = await context.LeaseAsync(topic, index);
        if (lease.Partition is not { } partition)
            return Refused(index, new AdminError(lease.Error), context);
        ActiveProducers active = await partition.DescribeProducersAsync(context.Cancel);
        var described = new DescribeProducersResponse.PartitionResponse { PartitionIndex = index, ErrorCode = context.Report(active.Error) };
        foreach (ActiveProducer producer in active.Producers)
        {
            described.ActiveProducers.Add(new()
            {
                ProducerId = producer.ProducerId,
                ProducerEpoch = producer.Epoch,
                LastSequence = producer.LastSequence,
                LastTimestamp = producer.LastTimestampMs,
                // -1 as in Kafka where no transaction of this producer has ended here.
                CoordinatorEpoch = -1,
            });
        }
        return described;
    }

    private static DescribeProducersResponse.PartitionResponse Refused(int index, AdminError error, RequestContext context) =>
        new() { PartitionIndex = index, ErrorCode = context.Report(error.Code), ErrorMessage = error.Message };
}
