namespace OrleansStream.Storage.Journals.Blob;

/// <summary>How a blob journal trades latency for requests, which cost money.</summary>
public sealed record BlobJournalOptions
{
    /// <summary>Puts in flight. While all are busy, entries gather for the next.</summary>
    public int PutsInFlight { get; init; } = 4;

    /// <summary>An object gathers at most this many bytes, or one larger entry.</summary>
    public int MaxObjectBytes { get; init; } = 4 << 20;

    /// <summary>How long an object waits for company, though a put could start.</summary>
    public TimeSpan Linger { get; init; } = TimeSpan.Zero;

    /// <summary>First and longest pause between two tries against a store that does not answer.</summary>
    public TimeSpan RetryDelay { get; init; } = TimeSpan.FromMilliseconds(50);
    public TimeSpan MaxRetryDelay { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>How long an idle journal waits before it puts an empty object that lets trimmed objects go.</summary>
    public TimeSpan IdleTrimDelay { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>Trimmed objects are deleted one after another, and with one more delete under way for each so many that wait: a store takes more puts than that.</summary>
    public int WaitingPerDelete { get; init; } = 1000;

    /// <summary>... up to so many under way.</summary>
    public int MaxDeletes { get; init; } = 8;

    /// <summary>Objects read ahead of the one being replayed: most are small, and each is a request with its own latency.</summary>
    public int ReadAhead { get; init; } = 32;

    /// <summary>... but no more than so many bytes, or one larger object.</summary>
    public int ReadAheadBytes { get; init; } = 32 << 20;

    /// <summary>The operator accepts that what stands behind a missing or corrupt object is lost: replay ends there instead of refusing.</summary>
    public bool AcceptLoss { get; init; }
}
