using OrleansStream.Protocol;

namespace OrleansStream.Broker.Groups.Runtime;

/// <summary>An answer that a client waits for. It is given in a turn of the shard and leaves once everything is durable that was appended by then.</summary>
internal abstract class Reply
{
    /// <summary>Whether the answer was given; it may still wait for its records.</summary>
    public bool Answered { get; protected set; }

    /// <summary>The answer leaves.</summary>
    public abstract void Release();

    /// <summary>An error leaves instead, whatever the answer was to be.</summary>
    public abstract void Fail(ErrorCode error);
}

internal sealed class Reply<T>(GroupShard shard) : Reply
{
    private readonly TaskCompletionSource<GroupResult<T>> _completion = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private GroupResult<T> _result;

    public Task<GroupResult<T>> Task => _completion.Task;

    public void Answer(T value) => Answer(GroupResult<T>.Of(value));

    public void Refuse(ErrorCode error, string? message = null) => Answer(new GroupResult<T>(error, default, message));

    private void Answer(GroupResult<T> result)
    {
        if (Answered)
            throw new InvalidOperationException("a request was answered twice");
        Answered = true;
        _result = result;
        shard.Answered(this);
    }

    public override void Release() => _completion.TrySetResult(_result);

    public override void Fail(ErrorCode error) => _completion.TrySetResult(new GroupResult<T>(error, default));
}
