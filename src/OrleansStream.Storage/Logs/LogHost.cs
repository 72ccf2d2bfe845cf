using OrleansStream.Storage.Journals;
using OrleansStream.Storage.Memory;
using OrleansStream.Storage.Ports;

namespace OrleansStream.Storage.Logs;

/// <summary>
/// What the logs of one process share: hot memory, the journal, dead journals, the sealer, the read cache. Opens logs, i.e. takes ownership
/// of partitions.
/// </summary>
public sealed class LogHost(
    RuntimePorts ports, IObjectStore store, IJournalSystem journals, IChunkSource chunks, LogOptions options, IManifestStore? manifests = null)
{
    public MemoryBudget Memory { get; } = new(options.MemoryBudgetBytes, ports.Time);

    /// <summary>Opens the journal and starts the sealer. Until then no log can be opened.</summary>
    public ValueTask StartAsync(CancellationToken cancel) => throw new NotImplementedException($"{store}{journals}{chunks}{manifests}");

    /// <summary>
    /// Takes ownership of a partition, creating it where it has no manifest yet, and serves it under a new leader epoch. Throws
    /// <see cref="LogUnavailableException"/> or <see cref="StoreUnavailableException"/> (try again), <see cref="LogCorruptException"/>,
    /// <see cref="JournalCorruptException"/>, <see cref="UnsupportedFormatException"/>.
    /// </summary>
    public ValueTask<PartitionLog> OpenAsync(PartitionId id, ILogState state, LogConfig config, CancellationToken cancel) =>
        throw new NotImplementedException();

    /// <summary>Deletes a partition for ever: steps its log down where it is open, deletes manifest and objects, lets the journal go of it. Idempotent.</summary>
    public ValueTask DeleteAsync(PartitionId id, CancellationToken cancel) => throw new NotImplementedException();

    /// <summary>
    /// Deletes what nobody names any more: orphans of failed seals, leftovers of deleted partitions, data of dead journals. For the background.
    /// </summary>
    /// <param name="exists">Whether the catalogue still has a partition.</param>
    public ValueTask SweepAsync(Func<PartitionId, bool> exists, CancellationToken cancel) => throw new NotImplementedException();

    /// <summary>Seals everything and takes this process out of all manifests, so that the next start replays nothing; then closes the journal.</summary>
    public ValueTask ShutdownAsync(CancellationToken cancel) => throw new NotImplementedException();
}
