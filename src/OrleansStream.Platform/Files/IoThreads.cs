using OrleansStream.Platform.Runtime;

namespace OrleansStream.Platform.Files;

/// <summary>
/// A few threads for file calls that block. The thread pool has two on a small machine, and a disk that stalls must not stall the sockets. Threads
/// start on demand and end after ten idle seconds.
/// </summary>
/// <param name="yielding">Whether they give way to threads that serve clients.</param>
internal sealed class IoThreads(string name, int most, bool yielding = false)
{
    private const int IdleMilliseconds = 10_000;

    private readonly object _gate = new();
    private readonly Queue<Action> _work = new();
    private int _threads;
    private int _idle;

    public Task<T> RunAsync<T>(Func<T> work, CancellationToken cancel)
    {
        if (cancel.IsCancellationRequested)
            return Task.FromCanceled<T>(cancel);
        var done = new TaskCompletionSource<T>(TaskCreationOptions.RunContinuationsAsynchronously);
        Enqueue(() =>
        {
            try
            {
                done.SetResult(work());
            }
#pragma warning disable CA1031 // Handed to the caller as it is.
            catch (Exception error)
#pragma warning restore CA1031
            {
                done.SetException(error);
            }
        });
        return done.Task;
    }

    private void Enqueue(Action work)
    {
        lock (_gate)
        {
            _work.Enqueue(work);
            if (_idle >= _work.Count)
            {
                Monitor.Pulse(_gate);
                return;
            }
            if (_threads == most)
                return;
            _threads++;
        }
        new Thread(Work) { Name = name, IsBackground = true }.UnsafeStart();
    }

    private void Work()
    {
        if (yielding)
            YieldingThread.GiveWay();
        while (Take() is { } work)
            work();
    }

    private Action? Take()
    {
        lock (_gate)
        {
            while (true)
            {
                if (_work.TryDequeue(out var work))
                    return work;
                _idle++;
                var woken = Monitor.Wait(_gate, IdleMilliseconds);
                _idle--;
                if (woken || _work.Count > 0)
                    continue;
                _threads--;
                return null;
            }
        }
    }
}
