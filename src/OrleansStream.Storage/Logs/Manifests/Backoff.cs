namespace OrleansStream.Storage.Logs;

/// <summary>Pauses between tries against a store that fails: each twice as long as the one before, up to a bound.</summary>
internal sealed class Backoff(TimeProvider time, LogOptions options)
{
    private int _next = options.RetryMs;

    public int Tries { get; private set; }

    public Task PauseAsync(CancellationToken cancel)
    {
        Tries++;
        var pause = _next;
        _next = Math.Min(options.MaxRetryMs, _next * 2);
        return Task.Delay(TimeSpan.FromMilliseconds(pause), time, cancel);
    }
}
