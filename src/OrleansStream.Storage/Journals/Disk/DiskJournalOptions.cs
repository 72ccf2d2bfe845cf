namespace OrleansStream.Storage.Journals.Disk;

/// <summary>Sizes in bytes. The defaults are those that were measured to be fast on one disk.</summary>
public sealed record DiskJournalOptions
{
    /// <summary>Length of a ring file. A block that is larger gets a file of its own length.</summary>
    public long FileBytes { get; init; } = 64L << 20;

    /// <summary>A commit gathers at most this much, or one larger entry.</summary>
    public int MaxCommitBytes { get; init; } = 4 << 20;

    /// <summary>How long a commit waits for company. Zero is right for most: commits grow by themselves while the one before is written.</summary>
    public TimeSpan Linger { get; init; } = TimeSpan.Zero;

    /// <summary>Trimmed files are kept for recycling while all files together are not larger than this; beyond it they are deleted.</summary>
    public long MaxBytes { get; init; } = 2L << 30;

    /// <summary>Files that are zeroed ahead of demand when the journal is idle. Each file that fills up raises the goal by one.</summary>
    public int ZeroedAhead { get; init; } = 4;

    /// <summary>
    /// Files made ahead of demand leave this much of the disk to sealed segments, and are deleted where less is left: a journal that took the last of a small
    /// disk could never be sealed, hence never be trimmed.
    /// </summary>
    public long LeaveFreeBytes { get; init; } = 256L << 20;

    /// <summary>How long after opening the first file is zeroed, so that a start has the disk for itself.</summary>
    public TimeSpan ZeroingDelay { get; init; } = TimeSpan.FromSeconds(1);

    /// <summary>How long an idle journal waits before it writes an empty block that lets trimmed files go.</summary>
    public TimeSpan IdleTrimDelay { get; init; } = TimeSpan.FromSeconds(1);

    /// <summary>The operator accepts that what stands behind a corrupt block is lost: replay ends there instead of refusing.</summary>
    public bool AcceptLoss { get; init; }
}
