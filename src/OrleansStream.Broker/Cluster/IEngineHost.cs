using OrleansStream.Storage;

namespace OrleansStream.Broker.Cluster;

/// <summary>
/// What assigns partitions to an engine, in a cluster: told of what becomes of them. Calls come on the engine's own work, for one partition in the order in
/// which things happened: be short, never throw.
/// </summary>
public interface IEngineHost
{
    /// <summary>A partition serves here under this leader epoch, since now.</summary>
    void Opened(PartitionId partition, int leaderEpoch);

    /// <summary>
    /// It leads here no more under this epoch: it was released, its journal was fenced or failed, or its topic was deleted. If it is still assigned here and the
    /// engine was not told to release it, it is taken again, and <see cref="Opened"/> follows.
    /// </summary>
    void SteppedDown(PartitionId partition, int leaderEpoch);

    /// <summary>
    /// Before a partition that has stepped down is taken again: completes when the engine has an assignment that the controller has confirmed since, so that a
    /// broker that was away for long does not take back what others lead now. Many partitions may ask at once. Throws only
    /// <see cref="OperationCanceledException"/>, for the token.
    /// </summary>
    ValueTask ConfirmAssignmentAsync(CancellationToken cancel) => ValueTask.CompletedTask;
}
