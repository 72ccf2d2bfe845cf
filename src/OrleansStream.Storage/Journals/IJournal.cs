namespace OrleansStream.Storage.Journals;

/// <summary>How an entry's commit ended.</summary>
public enum JournalOutcome
{
    /// <summary>The entry is in the journal and survives every crash.</summary>
    Durable,

    /// <summary>
    /// Another process has fenced this journal, or the journal gave itself up (a failed sync, a store that stayed away). This entry and all after it
    /// will never be acknowledged by this journal. The log answers NOT_LEADER_OR_FOLLOWER and takes its partition again.
    /// </summary>
    Fenced,
}

/// <summary>
/// A run of record batches of one partition, on its way into the journal. The log makes one per append; the journal holds a reference until it
/// has called <see cref="Complete"/>, so the payload (hot memory) must stay valid and unchanged until then.
/// </summary>
public abstract class JournalEntry
{
    public PartitionId Partition { get; protected set; }
    public int LeaderEpoch { get; protected set; }
    public long BaseOffset { get; protected set; }

    /// <summary>The offset of the last record, so that replay can prove that nothing is missing between entries.</summary>
    public long LastOffset { get; protected set; }

    /// <summary>Whole record batches, offsets and leader epoch assigned.</summary>
    public ReadOnlyMemory<byte> Payload { get; protected set; }

    /// <summary>
    /// Called once, in journal order, on the journal's own loop: must be short and must not throw. Entries of one partition complete in the order
    /// in which they were appended.
    /// </summary>
    public abstract void Complete(JournalOutcome outcome);
}

/// <summary>An entry read back by replay. The payload is valid only during the call that hands it over.</summary>
public readonly ref struct ReplayedEntry(PartitionId partition, int leaderEpoch, long baseOffset, long lastOffset, ReadOnlySpan<byte> payload)
{
    public PartitionId Partition { get; } = partition;
    public int LeaderEpoch { get; } = leaderEpoch;
    public long BaseOffset { get; } = baseOffset;
    public long LastOffset { get; } = lastOffset;
    public ReadOnlySpan<byte> Payload { get; } = payload;
}

/// <summary>Receives a dead journal's entries, in commit order.</summary>
public interface IJournalReplay
{
    void Entry(ReplayedEntry entry);
}

/// <summary>
/// The write-ahead log of one broker process, shared by all of its partitions: the only thing on the path of an acknowledgement.
/// One per process rather than one per partition, because an acknowledgement must cost one group commit and not one request for each partition.
/// </summary>
public interface IJournal : IAsyncDisposable
{
    /// <summary>The journal's id: the incarnation that everything it writes carries. Manifests name it.</summary>
    Guid Id { get; }

    /// <summary>
    /// Completes when the journal can take no more entries, with the reason, in words for the log. A writer that was fenced by another process learns of it
    /// by its next commit; an idle one does not.
    /// </summary>
    Task<string> Closed { get; }

    /// <summary>
    /// Queues an entry; never blocks, callable from any thread. Entries are committed in the order of the calls. On a closed journal the entry
    /// completes as <see cref="JournalOutcome.Fenced"/>.
    /// </summary>
    void Append(JournalEntry entry);

    /// <summary>Bytes queued and not yet durable.</summary>
    long PendingBytes { get; }

    /// <summary>
    /// Says that sealed segments named by a durable manifest hold this partition's records below <paramref name="endOffset"/> up to and including
    /// <paramref name="leaderEpoch"/>: the only thing that lets journal data go (I5). The journal trims in the background, in ascending order.
    /// A deleted partition is (int.MaxValue, long.MaxValue), which also covers entries that are still on their way.
    /// </summary>
    void Sealed(PartitionId partition, int leaderEpoch, long endOffset);

    /// <summary>
    /// What keeps the journal from trimming: its age in milliseconds and size in bytes, from the oldest entry that is not sealed yet, and
    /// the partitions with entries in its oldest file or object; of a journal in a store how many objects it is, too.
    /// </summary>
    JournalBacklog Backlog();

    /// <summary>Commits what is queued, then takes no more. Leaves the data in place.</summary>
    ValueTask CloseAsync(CancellationToken cancel);
}

/// <param name="Objects">0 for a journal of files: how many those are says nothing about how long it takes to read them.</param>
/// <param name="OlderPartitions">Those with entries in the older half of the objects.</param>
public sealed record JournalBacklog(
    long AgeMilliseconds, long Bytes, IReadOnlyList<PartitionId> OldestPartitions, int Objects, IReadOnlyList<PartitionId> OlderPartitions)
{
    public JournalBacklog(long ageMilliseconds, long bytes, IReadOnlyList<PartitionId> oldestPartitions)
        : this(ageMilliseconds, bytes, oldestPartitions, 0, oldestPartitions)
    {
    }
}

/// <summary>
/// Opens, fences, replays and clears journals: a ring of files on the disk of one process, or numbered objects in a store that many processes share.
/// </summary>
public interface IJournalSystem
{
    /// <summary>Whether other processes can reach these journals, hence fence them (false for a disk journal).</summary>
    bool Shared { get; }

    /// <summary>Draws an incarnation and opens a journal for writing. Its first object or block is durable when this returns.</summary>
    ValueTask<IJournal> OpenAsync(CancellationToken cancel);

    /// <summary>After this returns, nothing that the journal's writer still does can become durable in it. Idempotent; several may fence at once.</summary>
    ValueTask FenceAsync(Guid journalId, CancellationToken cancel);

    /// <summary>
    /// Hands over every entry of a fenced (or, on disk, dead) journal, once, in commit order. Throws <see cref="JournalCorruptException"/> where a
    /// valid block stands behind a bad one; a torn last commit is no corruption.
    /// </summary>
    ValueTask ReplayAsync(Guid journalId, IJournalReplay replay, CancellationToken cancel);

    /// <summary>Deletes a dead journal's data, once no manifest lists it. Fence markers stay.</summary>
    ValueTask DeleteAsync(Guid journalId, CancellationToken cancel);

    /// <summary>Ids of the journals that still have data, the open one included.</summary>
    ValueTask<IReadOnlyList<Guid>> ListAsync(CancellationToken cancel);
}

/// <summary>A journal that contradicts itself: the sentence names file or object, and position.</summary>
public sealed class JournalCorruptException : IOException
{
    public JournalCorruptException() { }
    public JournalCorruptException(string message) : base(message) { }
    public JournalCorruptException(string message, Exception inner) : base(message, inner) { }
}
