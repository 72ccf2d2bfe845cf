namespace OrleansStream.Gateway.Connections;

/// <summary>
/// Bounds what all connections together hold of requests that are still being received (Kafka's queued.max.request.bytes). Kafka counts what a request
/// announces; here what has come counts, so that a client that announces much and sends little takes nothing from anybody.
/// <para>
/// A connection that gets no more is not read, which TCP tells its client. The oldest of the requests under way always gets more: so one is completed, and
/// the bound is passed by no more than one request.
/// </para>
/// </summary>
/// <param name="limit">In bytes; none where it is not positive.</param>
internal sealed class RequestMemory(Func<long> limit)
{
    private readonly Lock _lock = new();
    private readonly LinkedList<Share> _shares = [];
    private long _held;

    /// <summary>What the requests that are being received hold, in bytes.</summary>
    public long Held => Volatile.Read(ref _held);

    /// <summary>A request begins to be received. Dispose the share when its memory has gone.</summary>
    public Share Begin()
    {
        var share = new Share(this);
        lock (_lock)
            share.Place = _shares.AddLast(share);
        return share;
    }

    private bool TryHold(Share share, long bytes)
    {
        long most = limit();
        if (most > 0 && _held + bytes > most && _shares.First != share.Place)
            return false;
        _held += bytes;
        share.Bytes += bytes;
        return true;
    }

    /// <summary>Oldest first, and nobody past one that does not fit: else the small would keep a large one waiting for ever.</summary>
    private void WakeLocked()
    {
        foreach (Share share in _shares)
        {
            if (share.Waiting is not { } waiting)
                continue;
            if (!TryHold(share, share.Wanted))
                return;
            share.Waiting = null;
            waiting.SetResult();
        }
    }

    /// <summary>What one request holds.</summary>
    internal sealed class Share(RequestMemory memory) : IDisposable
    {
        public LinkedListNode<Share>? Place { get; set; }
        public long Bytes { get; set; }
        public long Wanted { get; private set; }
        public TaskCompletionSource? Waiting { get; set; }

        /// <summary>Asks for so much more: null where it is there, else what completes when it is.</summary>
        public Task? Grow(long bytes)
        {
            lock (memory._lock)
            {
                if (memory.TryHold(this, bytes))
                    return null;
                Wanted = bytes;
                Waiting = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
                return Waiting.Task;
            }
        }

        public void Dispose()
        {
            lock (memory._lock)
            {
                if (Place is null)
                    return;
                memory._shares.Remove(Place);
                Place = null;
                Waiting = null;
                memory._held -= Bytes;
                memory.WakeLocked();
            }
        }
    }
}
