namespace OrleansStream.Platform.Runtime;

/// <summary>
/// Runs an asynchronous body on the calling thread: every continuation of it comes back here. Monitor's wait and pulse wake the thread in some
/// microseconds without spinning, which on small machines would cost the very core that the work needs.
/// </summary>
internal sealed class ThreadLoop : SynchronizationContext, IDisposable
{
    private readonly object _gate = new();
    private Queue<(SendOrPostCallback Callback, object? State)> _arrived = new();
    private Queue<(SendOrPostCallback Callback, object? State)> _running = new();
    private bool _waiting;
    private bool _ended;

    public void Run(Func<Task> body)
    {
        var before = Current;
        SetSynchronizationContext(this);
        try
        {
            var task = body();
            if (!task.IsCompleted)
                task.ContinueWith(static (_, loop) => ((ThreadLoop)loop!).Post(static _ => { }, null), this, CancellationToken.None, TaskContinuationOptions.None, TaskScheduler.Default);
            while (!task.IsCompleted)
            {
                Take();
                while (_running.TryDequeue(out var work))
                    work.Callback(work.State);
            }
            task.GetAwaiter().GetResult();
        }
        finally
        {
            SetSynchronizationContext(before);
            Dispose();
        }
    }

    public override void Post(SendOrPostCallback d, object? state)
    {
        lock (_gate)
        {
            if (!_ended)
            {
                _arrived.Enqueue((d, state));
                if (_waiting)
                    Monitor.Pulse(_gate);
                return;
            }
        }
        // What the body left behind when it ended still runs, though no longer here.
        ThreadPool.UnsafeQueueUserWorkItem(static work => work.d(work.state), (d, state), preferLocal: false);
    }

    public override void Send(SendOrPostCallback d, object? state) => throw new NotSupportedException("nobody waits for this thread");

    public override SynchronizationContext CreateCopy() => this;

    public void Dispose()
    {
        Queue<(SendOrPostCallback Callback, object? State)> left;
        lock (_gate)
        {
            _ended = true;
            left = _arrived;
            _arrived = new();
        }
        foreach (var (callback, state) in left)
            Post(callback, state);
    }

    private void Take()
    {
        lock (_gate)
        {
            while (_arrived.Count == 0)
            {
                _waiting = true;
                Monitor.Wait(_gate);
                _waiting = false;
            }
            (_arrived, _running) = (_running, _arrived);
        }
    }
}
