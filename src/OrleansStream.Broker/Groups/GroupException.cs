using OrleansStream.Protocol;

namespace OrleansStream.Broker.Groups;

/// <summary>A request of a group that is refused, with Kafka's code. Thrown by handlers, caught by the runtime: never seen outside of the coordinator.</summary>
internal sealed class GroupException(ErrorCode error, string? message = null) : Exception(message ?? error.ToString())
{
    public ErrorCode Error { get; } = error;

    /// <summary>The sentence for the client; null where Kafka sends none.</summary>
    public string? Sentence { get; } = message;
}

/// <summary>An answer, or the error instead of it, with a sentence where there is one.</summary>
public readonly record struct GroupResult<T>(ErrorCode Error, T? Value, string? Message = null)
{
    internal static GroupResult<T> Of(T value) => new(ErrorCode.None, value);
}
