namespace OrleansStream.Storage.Logs;

/// <summary>How an append, a read or an opening of a log can end.</summary>
public enum LogStatus
{
    Ok,

    /// <summary>Another owner has taken the partition, or it was closed: NOT_LEADER_OR_FOLLOWER.</summary>
    NotLeader,

    /// <summary>The journal gave itself up: KAFKA_STORAGE_ERROR. The process opens another and takes the partition again.</summary>
    StorageError,

    /// <summary>Below the log start offset or above the end: OFFSET_OUT_OF_RANGE.</summary>
    OutOfRange,

    /// <summary>Sealed data cannot be read while the store is away: retriable.</summary>
    StoreUnavailable,

    /// <summary>Sealed data is missing or not what was sealed: KAFKA_STORAGE_ERROR, and a line in the log.</summary>
    Corrupt,
}

/// <summary>A log that contradicts itself: a gap or an overlap of offsets in what was recovered. The sentence names partition, epoch and offsets.</summary>
public sealed class LogCorruptException : IOException
{
    public LogCorruptException() { }
    public LogCorruptException(string message) : base(message) { }
    public LogCorruptException(string message, Exception inner) : base(message, inner) { }
}

/// <summary>The partition cannot be taken now, but the same call may succeed later: its manifest is contended, or its store or journal is away.</summary>
public sealed class LogUnavailableException : IOException
{
    public LogUnavailableException() { }
    public LogUnavailableException(string message) : base(message) { }
    public LogUnavailableException(string message, Exception inner) : base(message, inner) { }
}
