using OrleansStream.Storage;

namespace OrleansStream.Broker.Cluster;

/// <summary>
/// How the controller tells brokers what to do with a partition. Which broker hears it is the host's business: for <see cref="LeadAsync"/> the one that the
/// newest assignment names, for the others the one that has the partition now. Each throws an exception of its own kind where the broker does not answer.
/// </summary>
public interface IPartitionCommands
{
    /// <summary>Seals what the partition holds while it goes on serving. No effect where nobody leads it.</summary>
    ValueTask PrepareReleaseAsync(PartitionId partition, CancellationToken cancel);

    /// <summary>Ends leading it, in good order. No effect where nobody leads it.</summary>
    ValueTask ReleaseAsync(PartitionId partition, CancellationToken cancel);

    /// <summary>Has the assigned broker begin to lead it; completes when that broker has heard it, not when it serves.</summary>
    /// <param name="version">Of the controller's news that name the broker. The command may overtake them: the broker waits for them before it looks who leads.</param>
    ValueTask LeadAsync(PartitionId partition, long version, CancellationToken cancel);
}
