using OrleansStream.Gateway.Dispatch;
using OrleansStream.Protocol;
using OrleansStream.Protocol.Messages;

namespace OrleansStream.Gateway.Handlers;

/// <summary>
/// InitProducerId (KIP-98, KIP-360): a new producer id for an idempotent producer. As in Kafka, an idempotent producer that names its old id gets a
/// new one too. Transactional ids are refused until transactions exist.
/// </summary>
internal sealed class InitProducerIdHandler : ApiHandler<InitProducerIdRequest>
{
    // Version 6 is that of two-phase commit (KIP-939), which Kafka 4.3 does not advertise either.
    public override short MaxVersion => 5;

    protected override async ValueTask<Answer> AnswerAsync(InitProducerIdRequest request, RequestContext context)
    {
        ErrorCode refusal = Refusal(request);
        if (refusal != ErrorCode.None)
            return Answer.Of(new InitProducerIdResponse { ErrorCode = context.Report(refusal), ProducerId = -1, ProducerEpoch = -1 });
        long id = await context.Gateway.Engine.NextProducerIdAsync(context.Cancel);
        return Answer.Of(new InitProducerIdResponse { ProducerId = id, ProducerEpoch = 0 });
    }

    private static ErrorCode Refusal(InitProducerIdRequest request)
    {
        if (request.TransactionalId is "" || (request.ProducerId == -1) != (request.ProducerEpoch == -1))
            return ErrorCode.InvalidRequest;
        return request.TransactionalId is null ? ErrorCode.None : ErrorCode.UnsupportedVersion;
    }
}
