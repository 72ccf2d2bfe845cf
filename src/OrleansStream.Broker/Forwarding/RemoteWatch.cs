using OrleansStream.Broker.Partitions;
using OrleansStream.Storage.Ports;

namespace OrleansStream.Broker.Forwarding;

/// <summary>
/// Tells the watchers of a partition that is led elsewhere of its changes. While there are any, one call is with the leader, which answers when the high
/// watermark moves: what it costs is one call for each change, or one every <see cref="HeldAtMost"/>, whatever the number of consumers here.
/// </summary>
internal sealed class RemoteWatch(Func<long, Task<Watermarks>> wait, RuntimePorts ports)
{
    public static readonly TimeSpan HeldAtMost = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan FailurePause = TimeSpan.FromMilliseconds(100);

    private readonly Lock _lock = new();
    private readonly HashSet<Registration> _watchers = [];
    private long _known = -1;
    private bool _running;
    private bool _ended;

    public bool Ended => Volatile.Read(ref _ended);

    public IDisposable Add(IPartitionWatcher watcher)
    {
        var registration = new Registration(this, watcher);
        var tell = false;
        lock (_lock)
        {
            tell = _ended;
            _watchers.Add(registration);
            if (!_running && !_ended)
            {
                _running = true;
                ports.Scheduler.Start("watch a remote partition", RunAsync);
            }
        }
        if (tell)
            watcher.Changed();
        return registration;
    }

    /// <summary>
    /// A reader was told this high watermark. Whoever read before it rose is told, since the call with the leader will not say it again; and so is a reader that
    /// was answered late.
    /// </summary>
    public void Heard(long highWatermark)
    {
        lock (_lock)
        {
            if (highWatermark == _known)
                return;
            _known = Math.Max(_known, highWatermark);
        }
        TellAll();
    }

    /// <summary>Nothing more is heard here: all are told a last time.</summary>
    public void End()
    {
        lock (_lock)
            _ended = true;
        TellAll();
    }

    private async Task RunAsync()
    {
        while (true)
        {
            long known;
            lock (_lock)
            {
                if (_ended || _watchers.Count == 0)
                {
                    _running = false;
                    return;
                }
                known = _known;
            }
            try
            {
                var now = await wait(known);
                if (now.Error == Protocol.ErrorCode.None)
                {
                    if (now.HighWatermark > known)
                        Heard(now.HighWatermark);
                    continue;
                }
            }
            catch (PeerLostException)
            {
                // As where it leads no more: those who wait find out who does.
            }
            TellAll();
            await Task.Delay(FailurePause, ports.Time);
        }
    }

    private void TellAll()
    {
        List<Registration> watchers;
        lock (_lock)
            watchers = [.. _watchers];
        watchers.ForEach(static w => w.Watcher.Changed());
    }

    private sealed class Registration(RemoteWatch watch, IPartitionWatcher watcher) : IDisposable
    {
        public IPartitionWatcher Watcher => watcher;

        public void Dispose()
        {
            lock (watch._lock)
                watch._watchers.Remove(this);
        }
    }
}
