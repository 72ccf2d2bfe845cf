using OrleansStream.Gateway.Dispatch;
using OrleansStream.Protocol;
using OrleansStream.Protocol.Messages;

namespace OrleansStream.Gateway.Handlers;

/// <summary>ConsumerGroupHeartbeat: all that a member of the consumer protocol (KIP-848) has to say to its group.</summary>
internal sealed class ConsumerGroupHeartbeatHandler : ApiHandler<ConsumerGroupHeartbeatRequest>
{
    protected override async ValueTask<Answer> AnswerAsync(ConsumerGroupHeartbeatRequest request, RequestContext context)
    {
        ConsumerGroupHeartbeatResponse response = await context.Groups().HeartbeatAsync(context.GroupClient(), request);
        context.Report((ErrorCode)response.ErrorCode);
        return Answer.Of(response);
    }
}
