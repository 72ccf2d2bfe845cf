namespace OrleansStream.Platform.Runtime;

/// <summary>
/// Runs an asynchronous body on the calling thread: every continuation of it comes back here. The thread waits without spinning, which on small machines
/// would cost the very core that the work needs.
/// </summary>
internal sealed class ThreadLoop : SynchronizationContext, IDisposable
{
    private readonly Lock _gate = new();
    private readonly ThreadPark _park = ThreadPark.Create();
    private Queue<(SendOrPostCallback Callback, object? State)> _arrived = new();
    private Queue<(SendOrPostCallback Callback, object? State)> _running = new();
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
        bool ended;
        lock (_gate)
        {
            ended = _ended;
            if (!ended)
                _arrived.Enqueue((d, state));
        }
        // What the body left behind when it ended still runs, though no longer here.
        if (ended)
            ThreadPool.UnsafeQueueUserWorkItem(static work => work.d(work.state), (d, state), preferLocal: false);
        else
            _park.Wake();
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
        while (true)
        {
            lock (_gate)
            {
                if (_arrived.Count > 0)
                {
                    (_arrived, _running) = (_running, _arrived);
                    return;
                }
            }
            _park.Wait();
        }
    }
}
