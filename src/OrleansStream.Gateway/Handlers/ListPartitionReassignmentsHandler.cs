using OrleansStream.Gateway.Dispatch;
using OrleansStream.Protocol.Messages;

namespace OrleansStream.Gateway.Handlers;

/// <summary>ListPartitionReassignments (KIP-455): none is ever under way, because no records are copied between brokers.</summary>
internal sealed class ListPartitionReassignmentsHandler : ApiHandler<ListPartitionReassignmentsRequest>
{
    protected override ValueTask<Answer> AnswerAsync(ListPartitionReassignmentsRequest request, RequestContext context) =>
        ValueTask.FromResult(Answer.Of(new ListPartitionReassignmentsResponse()));
}
