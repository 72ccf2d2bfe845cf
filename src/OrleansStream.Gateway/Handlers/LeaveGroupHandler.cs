using OrleansStream.Gateway.Dispatch;
using OrleansStream.Protocol;
using OrleansStream.Protocol.Messages;

namespace OrleansStream.Gateway.Handlers;

/// <summary>LeaveGroup: of one member, or from version 3 on of several, each with an error of its own (KIP-345).</summary>
internal sealed class LeaveGroupHandler : ApiHandler<LeaveGroupRequest>
{
    private const short Several = 3;

    protected override async ValueTask<Answer> AnswerAsync(LeaveGroupRequest request, RequestContext context)
    {
        if (context.Version < Several)
            request.Members.Add(new() { MemberId = request.MemberId });
        LeaveGroupResponse response = await context.Groups().LeaveAsync(context.GroupClient(), request);
        if (context.Version < Several)
        {
            if (response.ErrorCode == 0 && response.Members.Count > 0)
                response.ErrorCode = response.Members[0].ErrorCode;
            response.Members.Clear();
        }
        context.Report((ErrorCode)response.ErrorCode);
        return Answer.Of(response);
    }
}
