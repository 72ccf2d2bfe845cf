using Microsoft.Extensions.Logging;
using OrleansStream.Broker.Topics;
using OrleansStream.Storage;
using OrleansStream.Storage.Ports;

namespace OrleansStream.Broker.Engine;

/// <summary>
/// Removes the data of deleted topics, in the background: every partition, then the entry in the catalogue that says that there is something to remove. A
/// crash in between leaves the entry, and the next start goes on.
/// </summary>
/// <param name="remove">Removes one partition for ever; idempotent.</param>
internal sealed class TopicRemoval(TopicCatalogue catalogue, RuntimePorts ports, Func<PartitionId, CancellationToken, ValueTask> remove, CancellationToken stopping)
{
    private static readonly TimeSpan FirstPause = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan LongestPause = TimeSpan.FromSeconds(10);

    private readonly ILogger _log = ports.Logs.CreateLogger<TopicRemoval>();
    private readonly Lock _lock = new();
    private bool _running;
    private bool _more;
    private TaskCompletionSource? _idle;

    /// <summary>There may be something to remove.</summary>
    public void Kick()
    {
        lock (_lock)
        {
            _more = true;
            if (_running || stopping.IsCancellationRequested)
                return;
            _running = true;
        }
        ports.Scheduler.Start("remove topics", RunAsync);
    }

    /// <summary>Completes when nothing is left to remove, or the engine stops.</summary>
    public Task IdleAsync()
    {
        lock (_lock)
        {
            if (!_running)
                return Task.CompletedTask;
            _idle ??= new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            return _idle.Task;
        }
    }

    private async Task RunAsync()
    {
        var pause = FirstPause;
        while (true)
        {
            lock (_lock)
            {
                if (!_more || stopping.IsCancellationRequested)
                {
                    _running = false;
                    _idle?.TrySetResult();
                    _idle = null;
                    return;
                }
                _more = false;
            }
            try
            {
                foreach (var (name, topic) in catalogue.Doomed().ToList())
                {
                    for (var i = 0; i < topic.Partitions; i++)
                        await remove(new PartitionId(topic.Id, i), stopping);
                    await catalogue.ForgetAsync(name, topic.Id, stopping);
                    _log.LogInformation("The data of deleted topic {Name} ({Id}) is removed.", name, topic.Id);
                }
                pause = FirstPause;
            }
            catch (OperationCanceledException) when (stopping.IsCancellationRequested)
            {
                continue;
            }
            catch (IOException e)
            {
                _log.LogWarning("A deleted topic's data cannot be removed now, trying again: {Reason}", e.Message);
                lock (_lock)
                    _more = true;
                if (!await PausedAsync(pause))
                    continue;
                pause = pause * 2 > LongestPause ? LongestPause : pause * 2;
            }
        }
    }

    private async Task<bool> PausedAsync(TimeSpan pause)
    {
        try
        {
            await Task.Delay(pause, ports.Time, stopping);
            return true;
        }
        catch (OperationCanceledException)
        {
            return false;
        }
    }
}
