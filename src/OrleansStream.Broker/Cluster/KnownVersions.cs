using OrleansStream.Storage.Ports;

namespace OrleansStream.Broker.Cluster;

/// <summary>Up to which version of the controller's news each broker shows them to its clients, as it says. Thread-safe.</summary>
internal sealed class KnownVersions(RuntimePorts ports)
{
    private readonly Lock _lock = new();
    private readonly Dictionary<int, long> _known = [];
    private TaskCompletionSource _heard = NewSignal();

    public void Note(int nodeId, long version)
    {
        lock (_lock)
        {
            _known[nodeId] = version;
            _heard.TrySetResult();
            _heard = NewSignal();
        }
    }

    public void Forget(int nodeId)
    {
        lock (_lock)
        {
            _known.Remove(nodeId);
            _heard.TrySetResult();
            _heard = NewSignal();
        }
    }

    /// <summary>Completes when all brokers that say what they know know a version, or so much time is over: one of them may be about to die.</summary>
    public async ValueTask ReachedAsync(long version, TimeSpan atMost, CancellationToken cancel)
    {
        using var limit = new CancellationTokenSource(atMost, ports.Time);
        using var both = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, cancel);
        while (true)
        {
            Task heard;
            lock (_lock)
            {
                if (_known.Values.All(known => known >= version))
                    return;
                heard = _heard.Task;
            }
            try
            {
                await heard.WaitAsync(both.Token);
            }
            catch (OperationCanceledException) when (!cancel.IsCancellationRequested)
            {
                return;
            }
        }
    }

    private static TaskCompletionSource NewSignal() => new(TaskCreationOptions.RunContinuationsAsynchronously);
}
