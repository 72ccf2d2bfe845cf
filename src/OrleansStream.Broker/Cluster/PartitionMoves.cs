using Microsoft.Extensions.Logging;
using OrleansStream.Storage;

namespace OrleansStream.Broker.Cluster;

/// <summary>
/// Planned moves: seal while the old leader serves, tell everybody, release, lead. A few at a time. Clients see one NOT_LEADER_OR_FOLLOWER and the pause
/// between release and opening.
/// </summary>
/// <param name="assign">
/// Publishes that a broker leads a partition from now on, and completes when the brokers know it: whoever is turned away by the old leader, and asks another where to
/// go, must not be sent back. Answers the version of these news; null where the move makes no sense any more.
/// </param>
internal sealed class PartitionMoves(ControllerParts parts, Func<PartitionId, int, ValueTask<long?>> assign, CancellationToken stopping)
{
    private readonly ILogger _log = parts.Ports.Logs.CreateLogger<PartitionMoves>();
    private readonly Lock _lock = new();
    private readonly Queue<(PartitionId Partition, int Target)> _planned = new();
    private readonly Dictionary<PartitionId, int> _moving = [];
    private int _workers;

    public required Action Done { get; init; }

    public bool IsMoving(PartitionId partition) => TargetOf(partition) is not null;

    /// <summary>Where a partition that is moving goes; null for one that is not.</summary>
    public int? TargetOf(PartitionId partition)
    {
        lock (_lock)
            return _moving.TryGetValue(partition, out var target) ? target : null;
    }

    /// <summary>Forgets what is planned and has not begun.</summary>
    public void Clear()
    {
        lock (_lock)
            _planned.Clear();
    }

    public void Add(PartitionId partition, int target)
    {
        lock (_lock)
        {
            if (!_moving.ContainsKey(partition))
                _planned.Enqueue((partition, target));
        }
    }

    public void Start()
    {
        int begin;
        lock (_lock)
        {
            begin = Math.Max(0, Math.Min(parts.MoveWidth - _workers, _planned.Count));
            _workers += begin;
        }
        for (var i = 0; i < begin; i++)
            parts.Ports.Scheduler.Start("move partitions", WorkAsync);
    }

    private async Task WorkAsync()
    {
        while (true)
        {
            (PartitionId Partition, int Target) move;
            lock (_lock)
            {
                if (stopping.IsCancellationRequested || !_planned.TryDequeue(out move))
                {
                    _workers--;
                    return;
                }
                _moving.Add(move.Partition, move.Target);
            }
            try
            {
                await MoveAsync(move.Partition, move.Target);
            }
            catch (OperationCanceledException) when (stopping.IsCancellationRequested)
            {
                continue;
            }
            finally
            {
                lock (_lock)
                    _moving.Remove(move.Partition);
                Done();
            }
        }
    }

    private async ValueTask MoveAsync(PartitionId partition, int target)
    {
        // A seal of much data may take long, and nobody waits for it.
        var sealing = await StepAsync("prepare the release of", partition, parts.StepTimeout * 5, cancel => parts.Commands.PrepareReleaseAsync(partition, cancel));
        if (await assign(partition, target) is not { } version)
            return;
        // Where the old leader does not answer, the new one fences its journal.
        var releasing = await StepAsync("release", partition, parts.StepTimeout, cancel => parts.Commands.ReleaseAsync(partition, cancel));
        var leading = await StepAsync("lead", partition, parts.StepTimeout, cancel => parts.Commands.LeadAsync(partition, version, cancel));
        _log.LogInformation(
            "Partition {Partition} moved to broker {NodeId}: sealed in {SealingMs} ms, released in {ReleasingMs} ms, its leader told in {LeadingMs} ms",
            partition, target, (long)sealing.TotalMilliseconds, (long)releasing.TotalMilliseconds, (long)leading.TotalMilliseconds);
    }

    private async ValueTask<TimeSpan> StepAsync(string what, PartitionId partition, TimeSpan atMost, Func<CancellationToken, ValueTask> step)
    {
        var began = parts.Ports.Time.GetTimestamp();
        using var limit = new CancellationTokenSource(atMost, parts.Ports.Time);
        using var both = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, stopping);
        try
        {
            await step(both.Token);
        }
        catch (Exception e) when (!stopping.IsCancellationRequested)
        {
            _log.LogWarning("A broker did not {What} partition {Partition}: {Reason}", what, partition, e.Message);
        }
        return parts.Ports.Time.GetElapsedTime(began);
    }
}
