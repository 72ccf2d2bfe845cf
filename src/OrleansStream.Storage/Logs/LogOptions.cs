namespace OrleansStream.Storage.Logs;

/// <summary>Bounds of hot memory and of the journal, for a process. Sizes in bytes, times in milliseconds.</summary>
public sealed record LogOptions
{
    /// <summary>The budget for hot data.</summary>
    public long MemoryBudgetBytes { get; init; } = 1L << 30;

    /// <summary>Touched at start, so that the first burst meets warm memory.</summary>
    public long WarmBytes { get; init; } = 32L << 20;

    /// <summary>A partition is sealed in runs of about this size, or segment.bytes where that is smaller.</summary>
    public int SealTargetBytes { get; init; } = 32 << 20;

    /// <summary>How many sealed objects are uploaded at a time.</summary>
    public int MaxParallelUploads { get; init; } = 2;

    /// <summary>How many manifests are swapped at a time by one upload or at shutdown.</summary>
    public int MaxParallelSwaps { get; init; } = 16;

    /// <summary>What the journal still holds unsealed is sealed at this age.</summary>
    public long JournalMaxAgeMs { get; init; } = 600_000;

    /// <summary>... and at this size.</summary>
    public long JournalMaxBytes { get; init; } = 1L << 30;

    /// <summary>... and, in a store, at this many objects, since whoever takes over from a dead process reads them one by one.</summary>
    public int JournalMaxObjects { get; init; } = 2000;

    /// <summary>How often the sealer looks at ages.</summary>
    public int SealerTickMs { get; init; } = 1000;

    /// <summary>First and longest pause between tries against a store that fails.</summary>
    public int RetryMs { get; init; } = 100;
    public int MaxRetryMs { get; init; } = 10_000;

    /// <summary>Of the cache of sealed data that is read again.</summary>
    public long ReadCacheBytes { get; init; } = 256L << 20;
}

/// <summary>What a topic's configuration says to its log: segment.bytes and segment.ms.</summary>
public sealed record LogConfig(int SegmentBytes, long SegmentMs)
{
    public static readonly LogConfig Default = new(1 << 30, 604_800_000);
}
