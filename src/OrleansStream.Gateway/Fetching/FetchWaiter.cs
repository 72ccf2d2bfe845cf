using OrleansStream.Broker.Partitions;

namespace OrleansStream.Gateway.Fetching;

/// <summary>Waits until one of several partitions has changed.</summary>
internal sealed class FetchWaiter : IPartitionWatcher, IDisposable
{
    private readonly Dictionary<IPartition, IDisposable> _watches = new(ReferenceEqualityComparer.Instance);
    private TaskCompletionSource _changed = NewSignal();

    /// <summary>Watches a partition from here on; no effect where it is watched already.</summary>
    public void Watch(IPartition partition)
    {
        if (!_watches.ContainsKey(partition))
            _watches.Add(partition, partition.Watch(this));
    }

    /// <summary>Takes the end of a task for a change.</summary>
    public void Watch(Task task) => task.ContinueWith(
        static (_, waiter) => ((FetchWaiter)waiter!).Changed(), this, CancellationToken.None, TaskContinuationOptions.ExecuteSynchronously, TaskScheduler.Default);

    public void Changed() => Volatile.Read(ref _changed).TrySetResult();

    /// <summary>To be called before looking at the partitions: what changes from here on is not missed.</summary>
    public void Arm()
    {
        if (_changed.Task.IsCompleted)
            Volatile.Write(ref _changed, NewSignal());
    }

    /// <summary>True: something changed since <see cref="Arm"/>. False: time is up, or the wait was cancelled.</summary>
    public async ValueTask<bool> WaitAsync(TimeSpan atMost, TimeProvider time, CancellationToken cancel)
    {
        try
        {
            await _changed.Task.WaitAsync(atMost, time, cancel);
            return true;
        }
        catch (Exception end) when (end is TimeoutException or OperationCanceledException)
        {
            return false;
        }
    }

    public void Dispose()
    {
        foreach (IDisposable watch in _watches.Values)
            watch.Dispose();
    }

    private static TaskCompletionSource NewSignal() => new(TaskCreationOptions.RunContinuationsAsynchronously);
}
