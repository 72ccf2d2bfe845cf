using OrleansStream.Gateway.Dispatch;
using OrleansStream.Protocol;
using OrleansStream.Protocol.Messages;

namespace OrleansStream.Gateway.Handlers;

/// <summary>DescribeGroups: members, protocol and assignments of classic groups.</summary>
internal sealed class DescribeGroupsHandler : ApiHandler<DescribeGroupsRequest>
{
    protected override async ValueTask<Answer> AnswerAsync(DescribeGroupsRequest request, RequestContext context)
    {
        var response = new DescribeGroupsResponse();
        response.Groups.AddRange(await context.Groups().DescribeAsync(context.GroupClient(), request.Groups));
        foreach (DescribeGroupsResponse.DescribedGroup group in response.Groups)
        {
            context.Report((ErrorCode)group.ErrorCode);
            if (request.IncludeAuthorizedOperations && group.ErrorCode == 0)
                group.AuthorizedOperations = PictureExtensions.AllGroupOperations;
        }
        return Answer.Of(response);
    }
}
