using Microsoft.Extensions.Logging;
using Orleans;
using Orleans.Runtime;
using OrleansStream.Broker.Cluster;
using OrleansStream.Broker.Engine;
using OrleansStream.Broker.Topics;
using OrleansStream.Grains;
using OrleansStream.Silo.Hosting;
using OrleansStream.Storage;

namespace OrleansStream.Silo.Cluster;

/// <summary>
/// This broker's line to the controller: tells it which partitions serve here, and hears who leads what. One long poll is always on its way, which also keeps
/// the controller alive: where its silo died, the next poll of any broker activates it in another.
/// </summary>
/// <param name="fail">Ends the process with a sentence.</param>
internal sealed class ClusterLink(SiloEngine engine, ClusterKnowledge knowledge, TopicDeletions deletions, Action<string> fail, ILogger<ClusterLink> log)
    : IEngineHost, IAsyncDisposable
{
    private static readonly TimeSpan HeldAtMost = TimeSpan.FromMilliseconds(500);
    private static readonly TimeSpan CallTimeout = TimeSpan.FromSeconds(3);
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(100);

    // A silo that was killed is known as dead after a few seconds; until then its node id is taken.
    private static readonly TimeSpan RefusedAtMost = TimeSpan.FromSeconds(30);

    private readonly CancellationTokenSource _stopping = new();
    private readonly Lock _lock = new();
    private readonly Dictionary<PartitionId, int> _serving = [];
    private readonly SemaphoreSlim _applying = new(1, 1);
    private readonly TaskCompletionSource _first = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private List<BrokerEvent> _events = [];
    private TaskCompletionSource _confirmed = NewSignal();
    private TaskCompletionSource _wanted = NewSignal();
    private readonly List<(long Version, TaskCompletionSource Reached)> _waiting = [];
    private bool _tellAll = true;
    private bool _leaving;
    private long _version;
    private long _refusedSince;
    private IClusterGrain? _cluster;
    private SiloAddress? _silo;
    private Task _loops = Task.CompletedTask;

    /// <summary>Begins; completes when this broker is part of the cluster and knows its picture.</summary>
    public Task StartAsync(IGrainFactory grains, SiloAddress silo, CancellationToken cancel)
    {
        (_cluster, _silo) = (grains.GetGrain<IClusterGrain>(0), silo);
        _loops = Task.WhenAll(Task.Run(PollAsync, cancel), Task.Run(TellAsync, cancel));
        return _first.Task.WaitAsync(cancel);
    }

    /// <summary>Completes when this silo shows everything up to a version that the controller has named. Throws <see cref="TimeoutException"/>.</summary>
    public async Task ReachedAsync(long version, TimeSpan atMost)
    {
        (long Version, TaskCompletionSource Reached) waiter = (version, NewSignal());
        lock (_lock)
        {
            if (_version >= version)
                return;
            _waiting.Add(waiter);
        }
        try
        {
            await waiter.Reached.Task.WaitAsync(atMost);
        }
        finally
        {
            lock (_lock) _waiting.Remove(waiter);
        }
    }

    public void Opened(PartitionId partition, int leaderEpoch)
    {
        lock (_lock)
        {
            _serving[partition] = leaderEpoch;
            _events.Add(new BrokerEvent(partition.TopicId, partition.Index, leaderEpoch, Serves: true));
            _wanted.TrySetResult();
        }
    }

    public void SteppedDown(PartitionId partition, int leaderEpoch)
    {
        lock (_lock)
        {
            if (_serving.TryGetValue(partition, out int epoch) && epoch == leaderEpoch)
                _serving.Remove(partition);
            _events.Add(new BrokerEvent(partition.TopicId, partition.Index, leaderEpoch, Serves: false));
            _wanted.TrySetResult();
        }
    }

    public async ValueTask ConfirmAssignmentAsync(CancellationToken cancel)
    {
        Task confirmed;
        lock (_lock)
        {
            confirmed = _confirmed.Task;
            _wanted.TrySetResult();
        }
        await confirmed.WaitAsync(cancel);
    }

    /// <summary>Hands everything that is led here to other brokers, as far as there are any. Ends early only when cancelled.</summary>
    public async Task LeaveAsync(CancellationToken cancel)
    {
        lock (_lock)
            _leaving = true;
        while (!cancel.IsCancellationRequested)
        {
            try
            {
                // Asked anew each time that the controller has moved, or its answer was lost; every report says that this broker leaves, too.
                await _cluster!.LeaveAsync(engine.Engine.Me.NodeId).WaitAsync(CallTimeout, cancel);
                return;
            }
            catch (TimeoutException)
            {
                // Many partitions take longer.
            }
            catch (Exception e) when (e is not OperationCanceledException)
            {
                log.LogInformation("The cluster's controller did not answer: {Reason}", e.Message);
                await Task.Delay(Pause, cancel).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }
        }
        cancel.ThrowIfCancellationRequested();
    }

    /// <summary>No more is told or heard.</summary>
    public async ValueTask DisposeAsync()
    {
        if (_stopping.IsCancellationRequested)
            return;
        _stopping.Cancel();
        await _loops;
        _stopping.Dispose();
        _applying.Dispose();
    }

    private async Task PollAsync()
    {
        while (!_stopping.IsCancellationRequested)
            await TryExchangeAsync(HeldAtMost);
    }

    /// <summary>What has happened here does not wait for the end of a long poll.</summary>
    private async Task TellAsync()
    {
        while (!_stopping.IsCancellationRequested)
        {
            Task wanted;
            lock (_lock)
                wanted = _wanted.Task;
            await wanted.WaitAsync(_stopping.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            if (_stopping.IsCancellationRequested)
                return;
            TaskCompletionSource confirms;
            lock (_lock)
            {
                _wanted = NewSignal();
                (confirms, _confirmed) = (_confirmed, NewSignal());
            }
            while (!_stopping.IsCancellationRequested && !await TryExchangeAsync(TimeSpan.Zero))
            {
                // Until the controller has heard it.
            }
            confirms.TrySetResult();
        }
    }

    /// <summary>One exchange; false where it failed, after a pause.</summary>
    private async Task<bool> TryExchangeAsync(TimeSpan held)
    {
        (BrokerReport report, List<BrokerEvent> told) = Report(held);
        try
        {
            BrokerNews news = await _cluster!.ExchangeAsync(report).WaitAsync(CallTimeout, _stopping.Token);
            if (news.Refusal is null)
            {
                await ApplyAsync(news);
                return true;
            }
            Refused(news.Refusal);
        }
        catch (OperationCanceledException) when (_stopping.IsCancellationRequested)
        {
            return false;
        }
        catch (Exception e)
        {
            // Whatever Orleans throws for a silo that died, an activation that moved, a message that was lost: asked again.
            log.LogInformation("The cluster's controller did not answer: {Reason}", e.Message);
        }
        lock (_lock)
        {
            _events.InsertRange(0, told);
            // Whether it was heard is unknown, and who hears it next may be another controller.
            _tellAll = true;
        }
        await Task.Delay(Pause, _stopping.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        return false;
    }

    private (BrokerReport Report, List<BrokerEvent> Told) Report(TimeSpan held)
    {
        BrokerPicture me = engine.Engine.Me;
        lock (_lock)
        {
            (List<BrokerEvent> told, _events) = (_events, []);
            List<BrokerEvent> events = told;
            if (_tellAll)
                events = [.. told, .. _serving.Select(static s => new BrokerEvent(s.Key.TopicId, s.Key.Index, s.Value, Serves: true))];
            _tellAll = false;
            return (new BrokerReport(me.ToInfo(_silo!), _version, [.. events], (int)held.TotalMilliseconds, _leaving), told);
        }
    }

    private async Task ApplyAsync(BrokerNews news)
    {
        await _applying.WaitAsync(_stopping.Token);
        try
        {
            knowledge.Assign(news);
            if (news.ConfigsChanged)
                await engine.Engine.ConfigsChangedAsync(_stopping.Token);
            if (news.Changed.Length > 0)
            {
                await engine.Engine.TopicsChangedAsync(news.Changed, _stopping.Token);
                deletions.Look();
            }
            else
            {
                await engine.Engine.PublishedAsync();
            }
            List<(long Version, TaskCompletionSource Reached)> reached;
            lock (_lock)
            {
                // A controller that has just begun knows nothing yet of what serves here.
                if (news.Whole && _version != 0)
                {
                    _tellAll = true;
                    _wanted.TrySetResult();
                }
                if (news.Version > _version)
                    _version = news.Version;
                _refusedSince = 0;
                reached = [.. _waiting.Where(w => w.Version <= _version)];
            }
            reached.ForEach(static w => w.Reached.TrySetResult());
            _first.TrySetResult();
        }
        finally
        {
            _applying.Release();
        }
    }

    private void Refused(string why)
    {
        long now = TimeProvider.System.GetTimestamp();
        lock (_lock)
            _refusedSince = _refusedSince == 0 ? now : _refusedSince;
        if (TimeProvider.System.GetElapsedTime(_refusedSince, now) > RefusedAtMost)
            fail($"this broker cannot be part of the cluster: {why}");
    }

    private static TaskCompletionSource NewSignal() => new(TaskCreationOptions.RunContinuationsAsynchronously);
}
