using OrleansStream.Storage.Ports;

namespace OrleansStream.Broker.Forwarding;

/// <summary>The sender's side of <see cref="CallOrder"/>: numbers calls as they begin.</summary>
internal sealed class CallSequence(Guid stream)
{
    private long _generation;
    private long _number;
    private int _underWay;
    private bool _broken;
    private TaskCompletionSource? _drained;

    /// <summary>Held while a call is numbered and begun, so that calls leave in the order of their numbers.</summary>
    public Lock Sync { get; } = new();

    /// <summary>Whether a call may begin now.</summary>
    public bool IsOpen
    {
        get
        {
            lock (Sync)
                return !_broken;
        }
    }

    /// <summary>To be called under <see cref="Sync"/>. False after a call got lost, until all that were under way with it have ended: what came behind it might overtake it.</summary>
    public bool TryBegin(out CallOrder order)
    {
        order = default;
        if (_broken)
            return false;
        if (_underWay++ == 0)
            (_generation, _number) = (_generation + 1, 0);
        order = new CallOrder(stream, _generation, _number++);
        return true;
    }

    /// <summary>A call has ended.</summary>
    /// <param name="lost">Nobody knows how.</param>
    public void End(bool lost)
    {
        TaskCompletionSource? drained = null;
        lock (Sync)
        {
            _broken |= lost;
            if (--_underWay == 0)
            {
                _broken = false;
                (drained, _drained) = (_drained, null);
            }
        }
        drained?.SetResult();
    }

    /// <summary>Completes when calls may begin.</summary>
    public Task OpenAsync()
    {
        lock (Sync)
        {
            if (!_broken)
                return Task.CompletedTask;
            _drained ??= new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            return _drained.Task.Inline();
        }
    }
}

/// <summary>
/// The receiver's side of <see cref="CallOrder"/>: a call that arrived before an earlier one waits for it. Where the earlier one does not come, all that follow
/// in its generation are refused.
/// </summary>
internal sealed class CallTurns(RuntimePorts ports)
{
    /// <summary>For so long a gap may be one that another path closes.</summary>
    private static readonly TimeSpan GapAtMost = TimeSpan.FromSeconds(5);

    /// <summary>A stream with nothing under way may be forgotten at any time: its sender then begins a new generation.</summary>
    private static readonly TimeSpan ForgottenAfter = TimeSpan.FromMinutes(10);

    private readonly Lock _lock = new();
    private readonly Dictionary<Guid, Stream> _streams = [];
    private long _sweptAt = ports.Time.GetTimestamp();

    private sealed class Stream
    {
        public long Generation = -1;
        public long Next;
        public bool Taken;
        public bool Broken;
        public long UsedAt;
        public readonly Dictionary<long, TaskCompletionSource<bool>> Waiting = [];
    }

    /// <summary>True: it is this call's turn, until <see cref="Leave"/>. False: it is not to begin at all.</summary>
    public ValueTask<bool> EnterAsync(CallOrder order)
    {
        TaskCompletionSource<bool> turn;
        Stream stream;
        lock (_lock)
        {
            stream = Find(order.Stream);
            stream.UsedAt = ports.Time.GetTimestamp();
            if (order.Generation > stream.Generation)
            {
                Refuse(stream);
                (stream.Generation, stream.Next, stream.Broken) = (order.Generation, 0, false);
            }
            if (order.Generation < stream.Generation || stream.Broken || order.Number < stream.Next)
                return new(false);
            if (order.Number == stream.Next && !stream.Taken)
            {
                stream.Taken = true;
                return new(true);
            }
            turn = new TaskCompletionSource<bool>(TaskCreationOptions.RunContinuationsAsynchronously);
            if (!stream.Waiting.TryAdd(order.Number, turn))
                return new(false);
        }
        return WaitAsync(stream, turn.Task.Inline());
    }

    /// <summary>The call whose turn it was has begun: the next may.</summary>
    public void Leave(CallOrder order)
    {
        lock (_lock)
        {
            var stream = Find(order.Stream);
            stream.Taken = false;
            stream.UsedAt = ports.Time.GetTimestamp();
            if (order.Generation == stream.Generation)
                stream.Next++;
            // A call of an older generation that was still at it may have been waited for, too.
            if (!stream.Broken && stream.Waiting.Remove(stream.Next, out var next))
            {
                stream.Taken = true;
                next.SetResult(true);
            }
        }
    }

    private async ValueTask<bool> WaitAsync(Stream stream, Task<bool> turn)
    {
        while (true)
        {
            long next;
            lock (_lock)
                next = stream.Next;
            try
            {
                return await turn.WaitAsync(GapAtMost, ports.Time);
            }
            catch (TimeoutException)
            {
                lock (_lock)
                {
                    // An earlier call that takes its time, for memory to come free, is no gap.
                    if (turn.IsCompleted || stream.Taken || stream.Next != next)
                        continue;
                    stream.Broken = true;
                    Refuse(stream);
                }
            }
        }
    }

    private static void Refuse(Stream stream)
    {
        foreach (var turn in stream.Waiting.Values)
            turn.SetResult(false);
        stream.Waiting.Clear();
    }

    private Stream Find(Guid id)
    {
        if (_streams.TryGetValue(id, out var there))
            return there;
        if (ports.Time.GetElapsedTime(_sweptAt) > ForgottenAfter)
        {
            _sweptAt = ports.Time.GetTimestamp();
            foreach (var (old, stream) in _streams)
            {
                if (!stream.Taken && stream.Waiting.Count == 0 && ports.Time.GetElapsedTime(stream.UsedAt) > ForgottenAfter)
                    _streams.Remove(old);
            }
        }
        return _streams[id] = new Stream();
    }
}
