using OrleansStream.Gateway.Dispatch;
using OrleansStream.Protocol;
using OrleansStream.Protocol.Messages;

namespace OrleansStream.Gateway.Handlers;

/// <summary>JoinGroup: answered when the group's next generation begins.</summary>
internal sealed class JoinGroupHandler : ApiHandler<JoinGroupRequest>
{
    /// <summary>Versions below 7 have no null: a refusal has the empty name.</summary>
    private const short NullableProtocol = 7;

    protected override async ValueTask<Answer> AnswerAsync(JoinGroupRequest request, RequestContext context)
    {
        // Version 0 has one time-out for both.
        if (context.Version == 0)
            request.RebalanceTimeoutMs = request.SessionTimeoutMs;
        JoinGroupResponse response = await context.Groups().JoinAsync(context.GroupClient(), request).AsTask().WaitAsync(context.Cancel);
        context.Report((ErrorCode)response.ErrorCode);
        if (context.Version < NullableProtocol)
            response.ProtocolName ??= "";
        return Answer.Of(response);
    }
}
