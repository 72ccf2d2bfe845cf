namespace OrleansStream.Protocol.Records;

/// <summary>
/// Bytes that are no valid records, or no valid compressed form of some: the only exception that reading records or decompressing them throws.
/// </summary>
public sealed class CorruptRecordsException : IOException
{
    public CorruptRecordsException() { }
    public CorruptRecordsException(string message) : base(message) { }
    public CorruptRecordsException(string message, Exception inner) : base(message, inner) { }

    /// <summary>Whether the bytes may be well formed, but hold more than the caller allows.</summary>
    public bool TooLarge { get; init; }
}
