using OrleansStream.Storage.Ports;

namespace OrleansStream.Broker.Engine;

/// <summary>Opens partitions in the background, a few at a time, each until it is open or no longer wanted.</summary>
/// <param name="open">Tries once; answers how long to wait before the next try, null when there is no more to do.</param>
internal sealed class OpenQueue(RuntimePorts ports, int width, Func<PartitionSlot, bool, Task<long?>> open, CancellationToken stopping)
{
    private readonly Lock _lock = new();
    private readonly Queue<PartitionSlot> _waiting = new();
    private readonly Dictionary<PartitionSlot, bool> _again = [];
    private int _workers;
    private TaskCompletionSource? _idle;

    /// <param name="again">Open it anew though one is there, because that one has stepped down.</param>
    public void Add(PartitionSlot slot, bool again)
    {
        lock (_lock)
        {
            if (stopping.IsCancellationRequested)
                return;
            if (_again.TryGetValue(slot, out var before))
            {
                // It waits already; opened anew it is if anybody says so.
                _again[slot] = before || again;
                return;
            }
            _again.Add(slot, again);
            _waiting.Enqueue(slot);
            if (_workers == width)
                return;
            _workers++;
        }
        ports.Scheduler.Start("open partitions", WorkAsync);
    }

    /// <summary>Completes when there is nothing more to open.</summary>
    public Task IdleAsync()
    {
        lock (_lock)
        {
            if (_workers == 0)
                return Task.CompletedTask;
            _idle ??= new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            return _idle.Task;
        }
    }

    private async Task WorkAsync()
    {
        while (true)
        {
            PartitionSlot slot;
            bool again;
            lock (_lock)
            {
                if (stopping.IsCancellationRequested || !_waiting.TryDequeue(out slot!))
                {
                    if (--_workers == 0)
                    {
                        _idle?.TrySetResult();
                        _idle = null;
                    }
                    return;
                }
                // From here on it may be queued once more: what happens after this look at it is not this round's to see.
                _again.Remove(slot, out again);
            }
            try
            {
                while (await open(slot, again) is { } pause)
                    await Task.Delay(TimeSpan.FromMilliseconds(pause), ports.Time, stopping);
            }
            catch (OperationCanceledException) when (stopping.IsCancellationRequested)
            {
                continue;
            }
        }
    }
}
