using OrleansStream.Gateway.Dispatch;
using OrleansStream.Protocol;
using OrleansStream.Protocol.Messages;

namespace OrleansStream.Gateway.Handlers;

/// <summary>DeleteGroups: groups without members, with their offsets (KIP-229).</summary>
internal sealed class DeleteGroupsHandler : ApiHandler<DeleteGroupsRequest>
{
    protected override async ValueTask<Answer> AnswerAsync(DeleteGroupsRequest request, RequestContext context)
    {
        var response = new DeleteGroupsResponse();
        response.Results.AddRange(await context.Groups().DeleteAsync(request.GroupsNames));
        foreach (DeleteGroupsResponse.DeletableGroupResult result in response.Results)
            context.Report((ErrorCode)result.ErrorCode);
        return Answer.Of(response);
    }
}
