using System.Collections.Immutable;
using OrleansStream.Storage.Segments;

namespace OrleansStream.Storage.Logs;

/// <summary>A journal that may hold records of the partition that are not sealed yet, written under one leader epoch.</summary>
public readonly record struct ListedJournal(int LeaderEpoch, Guid JournalId);

/// <summary>An immutable object that lists older sealed runs, so that the manifest stays small.</summary>
/// <param name="Name">The object in the store.</param>
/// <param name="BaseOffset">First offset of its first run.</param>
/// <param name="LastOffset">Last offset of its last run.</param>
/// <param name="Bytes">Bytes of batches in its runs.</param>
/// <param name="MaxTimestamp">Largest timestamp in its runs, in milliseconds; -1 where there is none.</param>
public sealed record RunIndex(string Name, long BaseOffset, long LastOffset, long Bytes, long MaxTimestamp);

/// <summary>
/// The small, compare-and-swapped state of a partition: everything that outlives its owner. Immutable; a change makes a new one. The bytes
/// are <see cref="ManifestCodec"/>'s.
/// </summary>
public sealed record Manifest
{
    /// <summary>The state of a partition that nobody has owned yet.</summary>
    public static readonly Manifest Empty = new();

    /// <summary>The newest leader epoch; -1 before the first.</summary>
    public int LeaderEpoch { get; init; } = -1;

    /// <summary>Journals whose records of this partition are not all sealed, oldest first; the last is the owner's while there is one.</summary>
    public ImmutableArray<ListedJournal> Journals { get; init; } = [];

    /// <summary>Objects that list older runs, in order of offsets; all of them lie before <see cref="Runs"/>.</summary>
    public ImmutableArray<RunIndex> Indexes { get; init; } = [];

    /// <summary>The newest sealed runs, in order of offsets, without gaps.</summary>
    public ImmutableArray<SealedRun> Runs { get; init; } = [];

    public long LogStartOffset { get; init; }

    /// <summary>The offset after everything that is sealed: where replay begins.</summary>
    public long SealedEndOffset { get; init; }

    /// <summary>Where each leader epoch's records begin, in order (KIP-101).</summary>
    public ImmutableArray<EpochStart> EpochStarts { get; init; } = [];

    /// <summary>
    /// Producer state at <see cref="SealedEndOffset"/>: opaque bytes of the Broker. Null where they are too large for a manifest; then they are in the
    /// index of <see cref="SnapshotRun"/>.
    /// </summary>
    public ReadOnlyMemory<byte>? ProducerSnapshot { get; init; } = ReadOnlyMemory<byte>.Empty;

    /// <summary>The run whose index holds the producer snapshot, where this manifest does not. Its object stays even when the run leaves the log.</summary>
    public SealedRun? SnapshotRun { get; init; }

    /// <summary>Bytes of sealed batches.</summary>
    public long SealedBytes => Indexes.Sum(static index => index.Bytes) + Runs.Sum(static run => run.Length);

    /// <summary>Every sealed object and index object that this manifest itself names; those named by index objects are not among them.</summary>
    public IEnumerable<string> NamedObjects()
    {
        foreach (var run in Runs)
            yield return run.ObjectName;
        foreach (var index in Indexes)
            yield return index.Name;
        if (SnapshotRun is { } snapshot)
            yield return snapshot.ObjectName;
    }
}
