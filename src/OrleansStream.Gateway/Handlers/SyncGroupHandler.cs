using OrleansStream.Gateway.Dispatch;
using OrleansStream.Protocol;
using OrleansStream.Protocol.Messages;

namespace OrleansStream.Gateway.Handlers;

/// <summary>SyncGroup: answered when the group's leader has said who gets what. From version 5 on the client has to name the protocol (KIP-559).</summary>
internal sealed class SyncGroupHandler : ApiHandler<SyncGroupRequest>
{
    private const short NamesProtocol = 5;

    protected override async ValueTask<Answer> AnswerAsync(SyncGroupRequest request, RequestContext context)
    {
        SyncGroupResponse response = context.Version >= NamesProtocol && (request.ProtocolType is null || request.ProtocolName is null)
            ? new SyncGroupResponse { ErrorCode = (short)ErrorCode.InconsistentGroupProtocol }
            : await context.Groups().SyncAsync(context.GroupClient(), request).AsTask().WaitAsync(context.Cancel);
        context.Report((ErrorCode)response.ErrorCode);
        return Answer.Of(response);
    }
}
