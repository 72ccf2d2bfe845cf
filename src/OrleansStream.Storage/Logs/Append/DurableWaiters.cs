namespace OrleansStream.Storage.Logs;

/// <summary>Those who wait for an append that was not theirs: producers that sent a batch twice.</summary>
internal sealed class DurableWaiters
{
    private readonly Lock _lock = new();
    private readonly List<(long Offset, TaskCompletionSource<LogStatus> Done)> _waiters = [];
    private int _count;

    /// <summary>Registers a wait for the record at <paramref name="offset"/>. The caller looks at the log again afterwards and calls <see cref="Advance"/>.</summary>
    public Task<LogStatus> Add(long offset)
    {
        var done = new TaskCompletionSource<LogStatus>(TaskCreationOptions.RunContinuationsAsynchronously);
        lock (_lock)
        {
            _waiters.Add((offset, done));
            Volatile.Write(ref _count, _waiters.Count);
        }
        Interlocked.MemoryBarrier();
        return done.Task;
    }

    /// <summary>Completes those whose record is below the high watermark, or all of them where the log has stepped down.</summary>
    public void Advance(long highWatermark, LogStatus status)
    {
        if (Volatile.Read(ref _count) == 0)
            return;
        List<(TaskCompletionSource<LogStatus> Done, LogStatus Status)> ended = [];
        lock (_lock)
        {
            for (var i = _waiters.Count - 1; i >= 0; i--)
            {
                var durable = _waiters[i].Offset < highWatermark;
                if (!durable && status == LogStatus.Ok)
                    continue;
                ended.Add((_waiters[i].Done, durable ? LogStatus.Ok : status));
                _waiters.RemoveAt(i);
            }
            Volatile.Write(ref _count, _waiters.Count);
        }
        foreach (var (done, end) in ended)
            done.TrySetResult(end);
    }
}
