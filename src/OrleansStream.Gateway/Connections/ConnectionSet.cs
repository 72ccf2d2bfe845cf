using System.Collections.Concurrent;
using System.Net;
using Microsoft.Extensions.Logging;

namespace OrleansStream.Gateway.Connections;

/// <summary>The connections that are open: how many there may be, and which have been silent for too long.</summary>
internal sealed class ConnectionSet : IDisposable
{
    private static readonly TimeSpan LookEvery = TimeSpan.FromSeconds(1);

    private readonly Func<GatewayOptions> _options;
    private readonly TimeProvider _time;
    private readonly ILogger _log;
    private readonly ITimer _timer;
    private readonly ConcurrentDictionary<KafkaConnection, byte> _open = new();
    private readonly Lock _lock = new();
    private readonly Dictionary<string, int> _perAddress = [];
    private readonly LinkedList<TaskCompletionSource> _waiting = [];
    private int _count;

    public ConnectionSet(Func<GatewayOptions> options, TimeProvider time, ILogger log)
    {
        _options = options;
        _time = time;
        _log = log;
        _timer = time.CreateTimer(static set => ((ConnectionSet)set!).CloseIdle(), this, LookEvery, LookEvery);
    }

    public void Add(KafkaConnection connection) => _open.TryAdd(connection, 0);

    public void Remove(KafkaConnection connection) => _open.TryRemove(connection, out _);

    /// <summary>
    /// Waits for a place among max.connections. Null where the address has too many already, or the wait was cancelled. Dispose the result at the
    /// connection's end.
    /// </summary>
    public async ValueTask<IDisposable?> EnterAsync(EndPoint? peer, CancellationToken cancel)
    {
        string address = (peer as IPEndPoint)?.Address.ToString() ?? "";
        if (!TryCount(address))
        {
            _log.LogWarning("closing {Peer}: its address has as many connections as max.connections.per.ip allows", peer);
            return null;
        }
        while (true)
        {
            TaskCompletionSource turn;
            lock (_lock)
            {
                if (_count < _options().MaxConnections)
                {
                    _count++;
                    return new Place(this, address);
                }
                turn = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
                _waiting.AddLast(turn);
            }
            try
            {
                await turn.Task.WaitAsync(cancel);
            }
            catch (OperationCanceledException)
            {
                Leave(address, turn);
                return null;
            }
        }
    }

    public void Dispose() => _timer.Dispose();

    private bool TryCount(string address)
    {
        GatewayOptions options = _options();
        int limit = options.MaxConnectionsPerIpOverrides.GetValueOrDefault(address, options.MaxConnectionsPerIp);
        lock (_lock)
        {
            int there = _perAddress.GetValueOrDefault(address);
            if (there >= limit)
                return false;
            _perAddress[address] = there + 1;
            return true;
        }
    }

    private void Leave(string address, TaskCompletionSource? waited)
    {
        lock (_lock)
        {
            if (--_perAddress[address] == 0)
                _perAddress.Remove(address);
            if (waited is null)
                _count--;
            // A turn that was given and not taken goes to the next.
            if (waited is null || !_waiting.Remove(waited))
                WakeNext();
        }
    }

    private void WakeNext()
    {
        if (_waiting.First is not { } first)
            return;
        _waiting.RemoveFirst();
        first.Value.SetResult();
    }

    private void CloseIdle()
    {
        long idleMs = _options().MaxIdleMs;
        if (idleMs < 1)
            return;
        foreach (KafkaConnection connection in _open.Keys)
        {
            if (connection.IdleSince is { } since && _time.GetElapsedTime(since).TotalMilliseconds > idleMs)
                connection.StopReading();
        }
    }

    private sealed class Place(ConnectionSet set, string address) : IDisposable
    {
        private int _left;

        public void Dispose()
        {
            if (Interlocked.Exchange(ref _left, 1) == 0)
                set.Leave(address, null);
        }
    }
}
