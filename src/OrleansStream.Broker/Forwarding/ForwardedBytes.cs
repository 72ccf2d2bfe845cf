using OrleansStream.Storage.Ports;

namespace OrleansStream.Broker.Forwarding;

/// <summary>
/// The memory of appends that are on their way to other brokers, in bytes. It is bounded as hot memory is: who would send more waits, and is told so.
/// The bound may be passed by what was admitted and has not begun yet.
/// </summary>
internal sealed class ForwardedBytes(long limitBytes, TimeProvider time)
{
    private readonly Lock _lock = new();
    private long _used;
    private TaskCompletionSource? _freed;

    public long Used => Interlocked.Read(ref _used);

    /// <summary>Completes when there is room. Answers for how many milliseconds it waited.</summary>
    public ValueTask<int> AdmitAsync(CancellationToken cancel) => Used < limitBytes ? new(0) : WaitAsync(cancel);

    public void Add(int bytes) => Interlocked.Add(ref _used, bytes);

    public void Remove(int bytes)
    {
        if (Interlocked.Add(ref _used, -bytes) >= limitBytes)
            return;
        TaskCompletionSource? freed;
        lock (_lock)
            (freed, _freed) = (_freed, null);
        freed?.SetResult();
    }

    private async ValueTask<int> WaitAsync(CancellationToken cancel)
    {
        var since = time.GetTimestamp();
        while (true)
        {
            Task freed;
            lock (_lock)
            {
                if (Used < limitBytes)
                    return (int)time.GetElapsedTime(since).TotalMilliseconds;
                _freed ??= new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
                freed = _freed.Task.Inline();
            }
            await freed.WaitAsync(cancel);
        }
    }
}
