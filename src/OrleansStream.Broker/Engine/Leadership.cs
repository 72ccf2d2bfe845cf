using OrleansStream.Broker.Cluster;
using OrleansStream.Broker.Topics;
using OrleansStream.Storage;
using OrleansStream.Storage.Ports;

namespace OrleansStream.Broker.Engine;

/// <summary>
/// What this broker leads: the newest assignment, and the partitions that its host has told it to lead. The assignment alone opens nothing: the old leader of
/// a partition serves until it has released it, and to open earlier would fence everything that it leads.
/// </summary>
internal sealed class Leadership(int nodeId, ClusterAssignment first)
{
    private readonly Lock _lock = new();
    private readonly HashSet<PartitionId> _told = [];
    private ClusterAssignment _current = first;
    private TaskCompletionSource _next = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public int NodeId => nodeId;
    public ClusterAssignment Current => Volatile.Read(ref _current);

    /// <summary>Whether sweeping and the removal of deleted topics are this broker's.</summary>
    public bool IsController => Current.ControllerId == nodeId;

    /// <summary>Takes a newer assignment; answers the one before, null where this one is old news.</summary>
    public ClusterAssignment? Assign(ClusterAssignment assignment)
    {
        lock (_lock)
        {
            var before = _current;
            if (assignment.Version < before.Version)
                return null;
            Volatile.Write(ref _current, assignment);
            _next.TrySetResult();
            _next = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            return before;
        }
    }

    /// <summary>Completes when there is an assignment with a higher version.</summary>
    public Task AfterAsync(long version)
    {
        lock (_lock)
            return _current.Version > version ? Task.CompletedTask : _next.Task.Inline();
    }

    public void Tell(PartitionId id)
    {
        lock (_lock)
            _told.Add(id);
    }

    public void Untell(PartitionId id)
    {
        lock (_lock)
            _told.Remove(id);
    }

    /// <summary>Whether requests for the partition are for this broker, if not now then soon.</summary>
    public bool IsMine(PartitionId id) => Current[id].LeaderId == nodeId || IsTold(id);

    /// <summary>Whether the partition may be opened here.</summary>
    public bool MayOpen(PartitionId id) => Current.SoleLeader == nodeId || IsTold(id);

    /// <summary>Whether a partition that has stepped down is to be taken again.</summary>
    public bool MayTakeAgain(PartitionId id) => MayOpen(id) && Current[id].LeaderId == nodeId;

    private bool IsTold(PartitionId id)
    {
        lock (_lock)
            return _told.Contains(id);
    }
}
