using OrleansStream.Gateway.Connections;
using OrleansStream.Protocol;

namespace OrleansStream.Gateway.Dispatch;

/// <summary>One request: who asks, what, in which version; and until when an answer is wanted.</summary>
public sealed class RequestContext(Gateway gateway, Peer peer, ApiKey api, short version, int correlationId, string? clientId, CancellationToken cancel)
{
    public Gateway Gateway { get; } = gateway;
    public Peer Peer { get; } = peer;
    public ApiKey Api { get; } = api;
    public short Version { get; } = version;
    public int CorrelationId { get; } = correlationId;
    public string? ClientId { get; } = clientId;

    /// <summary>Cancelled when the connection is gone or the broker stops: nobody waits for the answer any more.</summary>
    public CancellationToken Cancel { get; } = cancel;

    /// <summary>When the request was read, as <see cref="TimeProvider.GetTimestamp"/> counts.</summary>
    public long StartedAt { get; } = gateway.Time.GetTimestamp();

    /// <summary>How long a request waits, at most, for a partition that is about to open here.</summary>
    public TimeSpan OpeningLimit => TimeSpan.FromMilliseconds(Gateway.Options.MaxOpeningWaitMs);

    /// <summary>The connection's appends, which keep their order; null for a request that comes on none.</summary>
    internal AppendOrder? Appends { get; init; }

    /// <summary>Counts the error for the metrics; answers it as the wire has it.</summary>
    public short Report(ErrorCode error)
    {
        if (error != ErrorCode.None)
            Gateway.Metrics.Error(Api, error);
        return (short)error;
    }
}
