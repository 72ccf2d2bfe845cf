namespace OrleansStream.Storage.Memory;

/// <summary>Something sealed that may leave hot memory: oldest first.</summary>
public interface IEvictable
{
    /// <summary>Drops the log's references. Readers that hold some keep the bytes, and the budget counts them, until they let go.</summary>
    void Evict();
}

/// <summary>
/// The one budget of a process for hot data, in bytes of leased chunks. What is accepted and not yet journalled lies in chunks too, so it counts.
/// Over the budget, what is sealed is evicted, oldest first; the sealer is asked for more; and producers wait. Nothing is dropped, and the
/// budget is exceeded at most by what had been admitted and not yet appended.
/// </summary>
public sealed class MemoryBudget(long limitBytes, TimeProvider time)
{
    private readonly Lock _lock = new();
    private readonly Queue<IEvictable> _evictables = new();
    private readonly LinkedList<Waiter> _waiters = new();
    private long _used;
    private int _waiterCount;

    public long LimitBytes { get; } = limitBytes;

    /// <summary>Bytes of chunks that are leased now.</summary>
    public long UsedBytes => Interlocked.Read(ref _used);

    /// <summary>Producers that wait now.</summary>
    public int WaitingCount
    {
        get
        {
            lock (_lock)
                return _waiters.Count;
        }
    }

    /// <summary>Called, on any thread, when the budget is tight and there is nothing left to evict: set by the sealer.</summary>
    public Action? Pressed { get; set; }

    /// <summary>Above this, the sealer is asked to seal; so that memory comes free before producers must wait.</summary>
    private long SealAbove => LimitBytes / 2;

    /// <summary>Evicting a little more than needed keeps the next admissions on the fast path.</summary>
    private long Slack => LimitBytes / 16;

    /// <summary>Whether unsealed data should be sealed to make room.</summary>
    public bool WantsSealing
    {
        get
        {
            lock (_lock)
                return _waiters.Count > 0 || (_evictables.Count == 0 && UsedBytes > SealAbove);
        }
    }

    /// <summary>
    /// Completes when there is room for <paramref name="bytes"/> more, at once in the common case. Answers for how many milliseconds it waited: the
    /// throttle time that the client is told.
    /// </summary>
    public ValueTask<int> AdmitAsync(int bytes, CancellationToken cancel)
    {
        if (UsedBytes + bytes <= LimitBytes && Volatile.Read(ref _waiterCount) == 0)
            return new ValueTask<int>(0);
        return AdmitSlowAsync(bytes, cancel);
    }

    private async ValueTask<int> AdmitSlowAsync(int bytes, CancellationToken cancel)
    {
        cancel.ThrowIfCancellationRequested();
        EvictTo(LimitBytes - Math.Max(bytes, Slack));
        LinkedListNode<Waiter> node;
        lock (_lock)
        {
            if (_waiters.Count == 0 && HasRoom(bytes, 0))
                return 0;
            node = _waiters.AddLast(new Waiter(bytes));
            Volatile.Write(ref _waiterCount, _waiters.Count);
        }
        Pressed?.Invoke();
        // Memory may have come free between the check and the registration.
        WakeWaiters();
        var start = time.GetTimestamp();
        await using var registration = cancel.UnsafeRegister(static (state, token) =>
        {
            var (budget, waiting) = ((MemoryBudget, LinkedListNode<Waiter>))state!;
            budget.Abandon(waiting, token);
        }, (this, node));
        await node.Value.Done.Task;
        return (int)Math.Clamp(time.GetElapsedTime(start).TotalMilliseconds, 1, int.MaxValue);
    }

    /// <summary>A request that is larger than the whole budget passes once nothing else is in memory.</summary>
    private bool HasRoom(int bytes, long alreadyGranted)
    {
        var used = UsedBytes + alreadyGranted;
        return used + bytes <= LimitBytes || (bytes > LimitBytes && used == 0);
    }

    private void Abandon(LinkedListNode<Waiter> node, CancellationToken token)
    {
        lock (_lock)
        {
            if (node.List is null)
                return;
            _waiters.Remove(node);
            Volatile.Write(ref _waiterCount, _waiters.Count);
        }
        node.Value.Done.TrySetCanceled(token);
        WakeWaiters();
    }

    internal void Leased(int bytes)
    {
        var used = Interlocked.Add(ref _used, bytes);
        if (used > LimitBytes)
            EvictTo(LimitBytes - Slack);
        if (used > SealAbove && used - bytes <= SealAbove)
            Pressed?.Invoke();
    }

    internal void Returned(int bytes)
    {
        Interlocked.Add(ref _used, -bytes);
        if (Volatile.Read(ref _waiterCount) > 0)
            WakeWaiters();
    }

    /// <summary>Adds something sealed to the end of the eviction order.</summary>
    public void AddEvictable(IEvictable evictable)
    {
        lock (_lock)
            _evictables.Enqueue(evictable);
        if (UsedBytes > LimitBytes || Volatile.Read(ref _waiterCount) > 0)
            EvictForWaiters();
    }

    private void EvictForWaiters()
    {
        long wanted = 0;
        lock (_lock)
        {
            foreach (var waiter in _waiters)
                wanted += waiter.Bytes;
        }
        EvictTo(Math.Max(0, LimitBytes - wanted));
    }

    private void EvictTo(long target)
    {
        while (UsedBytes > target)
        {
            IEvictable? oldest;
            lock (_lock)
            {
                if (!_evictables.TryDequeue(out oldest))
                    return;
            }
            oldest.Evict();
        }
    }

    private void WakeWaiters()
    {
        List<Waiter>? woken = null;
        lock (_lock)
        {
            long granted = 0;
            while (_waiters.First is { } first && HasRoom(first.Value.Bytes, granted))
            {
                granted += first.Value.Bytes;
                _waiters.RemoveFirst();
                (woken ??= []).Add(first.Value);
            }
            Volatile.Write(ref _waiterCount, _waiters.Count);
        }
        if (woken is null)
            return;
        foreach (var waiter in woken)
            waiter.Done.TrySetResult();
    }

    private sealed class Waiter(int bytes)
    {
        public int Bytes { get; } = bytes;
        public TaskCompletionSource Done { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);
    }
}
