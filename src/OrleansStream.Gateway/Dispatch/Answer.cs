using OrleansStream.Protocol;

namespace OrleansStream.Gateway.Dispatch;

/// <summary>What a handler gives back: a response to write, silence (acks=0), or the end of the connection.</summary>
public readonly record struct Answer
{
    private Answer(IMessage? response, IReadOnlyList<IDisposable>? holds, string? closeReason)
    {
        Response = response;
        Holds = holds;
        CloseReason = closeReason;
    }

    /// <summary>The response; null where the client expects none.</summary>
    public IMessage? Response { get; }

    /// <summary>Memory that the response refers to: released once it is in the socket's hands.</summary>
    public IReadOnlyList<IDisposable>? Holds { get; }

    /// <summary>Why the connection is closed instead of answered; null where it stays.</summary>
    public string? CloseReason { get; }

    public static Answer Of(IMessage response, IReadOnlyList<IDisposable>? holds = null) => new(response, holds, null);

    /// <summary>Nothing is sent: the client does not wait (Produce with acks=0).</summary>
    public static readonly Answer Silence = new(null, null, null);

    /// <summary>The connection is closed, as Kafka does where no response can say what is wrong.</summary>
    public static Answer Close(string reason) => new(null, null, reason);

    public void Release()
    {
        if (Holds is null)
            return;
        foreach (IDisposable hold in Holds)
            hold.Dispose();
    }
}
