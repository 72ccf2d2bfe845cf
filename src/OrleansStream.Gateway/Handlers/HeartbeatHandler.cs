using OrleansStream.Gateway.Dispatch;
using OrleansStream.Protocol;
using OrleansStream.Protocol.Messages;

namespace OrleansStream.Gateway.Handlers;

/// <summary>Heartbeat of a member of a classic group.</summary>
internal sealed class HeartbeatHandler : ApiHandler<HeartbeatRequest>
{
    public override bool IsBrief => true;

    protected override async ValueTask<Answer> AnswerAsync(HeartbeatRequest request, RequestContext context)
    {
        HeartbeatResponse response = await context.Groups().HeartbeatAsync(context.GroupClient(), request);
        context.Report((ErrorCode)response.ErrorCode);
        return Answer.Of(response);
    }
}
