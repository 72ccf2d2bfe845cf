using Microsoft.Extensions.Logging;
using OrleansStream.Storage;

namespace OrleansStream.Broker.Cluster;

/// <summary>Tells assigned brokers to lead: many partitions at a time, each again after a while for as long as it does not serve.</summary>
internal sealed class PartitionLeads(ControllerParts parts, CancellationToken stopping)
{
    private readonly ILogger _log = parts.Ports.Logs.CreateLogger<PartitionLeads>();
    private readonly Lock _lock = new();
    private readonly Queue<(PartitionId Partition, long Version)> _waiting = new();
    private readonly HashSet<PartitionId> _busy = [];

    /// <summary>From when on (a timestamp of the clock) a partition that does not serve is told again.</summary>
    private Dictionary<PartitionId, long> _again = [];
    private int _workers;

    public required Action Done { get; init; }

    /// <param name="idle">All partitions that have a leader and are not served by it.</param>
    /// <param name="version">Of the news that name these leaders.</param>
    public void Start(IReadOnlyList<PartitionId> idle, long version)
    {
        var begin = 0;
        lock (_lock)
        {
            // Who serves meanwhile is told anew when it is idle the next time.
            Dictionary<PartitionId, long> again = [];
            var now = parts.Ports.Time.GetTimestamp();
            foreach (var partition in idle)
            {
                if (_again.TryGetValue(partition, out var at))
                    again[partition] = at;
                if (_busy.Contains(partition) || now < at)
                    continue;
                _busy.Add(partition);
                _waiting.Enqueue((partition, version));
            }
            _again = again;
            begin = Math.Min(parts.LeadWidth - _workers, _waiting.Count);
            _workers += Math.Max(0, begin);
        }
        for (var i = 0; i < begin; i++)
            parts.Ports.Scheduler.Start("lead partitions", WorkAsync);
    }

    private async Task WorkAsync()
    {
        while (true)
        {
            (PartitionId Partition, long Version) next;
            lock (_lock)
            {
                if (stopping.IsCancellationRequested || !_waiting.TryDequeue(out next))
                {
                    _workers--;
                    return;
                }
            }
            var (partition, version) = next;
            var again = parts.LeadAgain;
            // An answer that was lost is not waited for: it would keep the partition from being told again.
            using var limit = new CancellationTokenSource(parts.StepTimeout, parts.Ports.Time);
            using var both = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, stopping);
            try
            {
                await parts.Commands.LeadAsync(partition, version, both.Token);
            }
            catch (Exception e) when (e is not OperationCanceledException || !stopping.IsCancellationRequested)
            {
                // What the host throws where a broker does not answer. It is told again, or its death is seen.
                _log.LogInformation("Partition {Partition}: its leader did not hear that it leads: {Reason}", partition, e.Message);
                again = TimeSpan.Zero;
            }
            catch (OperationCanceledException)
            {
                continue;
            }
            // Most often the call went to a silo that has just died: the next one finds another.
            if (again == TimeSpan.Zero && !await PausedAsync())
                continue;
            lock (_lock)
            {
                _busy.Remove(partition);
                _again[partition] = parts.Ports.Time.GetTimestamp() + (long)(again.TotalSeconds * parts.Ports.Time.TimestampFrequency);
            }
            if (again == TimeSpan.Zero)
                Done();
        }
    }

    private async ValueTask<bool> PausedAsync()
    {
        try
        {
            await Task.Delay(parts.LeadRetry, parts.Ports.Time, stopping);
            return true;
        }
        catch (OperationCanceledException)
        {
            return false;
        }
    }
}
