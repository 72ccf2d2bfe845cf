using OrleansStream.Gateway.Dispatch;
using OrleansStream.Protocol;
using OrleansStream.Protocol.Messages;

namespace OrleansStream.Gateway.Handlers;

/// <summary>ListGroups: the groups that this broker coordinates, by state and type (KIP-518, KIP-848).</summary>
internal sealed class ListGroupsHandler : ApiHandler<ListGroupsRequest>
{
    protected override async ValueTask<Answer> AnswerAsync(ListGroupsRequest request, RequestContext context)
    {
        ListGroupsResponse response = await context.Groups().ListAsync(request, context.Cancel);
        context.Report((ErrorCode)response.ErrorCode);
        return Answer.Of(response);
    }
}
