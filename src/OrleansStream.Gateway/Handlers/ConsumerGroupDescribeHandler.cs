using OrleansStream.Gateway.Dispatch;
using OrleansStream.Protocol;
using OrleansStream.Protocol.Messages;

namespace OrleansStream.Gateway.Handlers;

/// <summary>ConsumerGroupDescribe: members, epochs and assignments of groups of the consumer protocol.</summary>
internal sealed class ConsumerGroupDescribeHandler : ApiHandler<ConsumerGroupDescribeRequest>
{
    protected override async ValueTask<Answer> AnswerAsync(ConsumerGroupDescribeRequest request, RequestContext context)
    {
        var response = new ConsumerGroupDescribeResponse();
        response.Groups.AddRange(await context.Groups().DescribeConsumersAsync(request.GroupIds));
        foreach (ConsumerGroupDescribeResponse.DescribedGroup group in response.Groups)
        {
            context.Report((ErrorCode)group.ErrorCode);
            if (request.IncludeAuthorizedOperations && group.ErrorCode == 0)
                group.AuthorizedOperations = PictureExtensions.AllGroupOperations;
        }
        return Answer.Of(response);
    }
}
