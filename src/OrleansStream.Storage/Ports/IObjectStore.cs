using System.Buffers;

namespace OrleansStream.Storage.Ports;

/// <summary>How a conditional write ended.</summary>
public enum PutOutcome
{
    /// <summary>The object holds the new content, durably.</summary>
    Done,

    /// <summary>The condition did not hold: the object exists already, or its ETag is another. Nothing was written by this call.</summary>
    Conflict,

    /// <summary>
    /// The store may or may not have written it (time-out, lost connection, server error, or a retry below us that may have met its own first try).
    /// Read the object to know.
    /// </summary>
    Unknown,
}

/// <summary>The result of a conditional write; <paramref name="ETag"/> is set when it is <see cref="PutOutcome.Done"/>.</summary>
public readonly record struct PutResult(PutOutcome Outcome, string? ETag)
{
    public static PutResult Done(string etag) => new(PutOutcome.Done, etag);
    public static readonly PutResult Conflict = new(PutOutcome.Conflict, null);
    public static readonly PutResult Unknown = new(PutOutcome.Unknown, null);
}

public readonly record struct ObjectInfo(string Name, long Length);

/// <summary>
/// A flat store of named objects: a folder on disk, an Azure Blob container, or the simulation's. Names are '/'-separated, of [A-Za-z0-9._-].
/// <para>
/// Guarantees: a write that was <see cref="PutOutcome.Done"/> survives any crash; reads after it see it (strong consistency, as Azure Blob gives);
/// objects are never seen half-written. A store that cannot be reached throws <see cref="StoreUnavailableException"/> from reads, lists and
/// deletes; writes answer <see cref="PutOutcome.Unknown"/> unless the request certainly did not arrive. Conditional writes are never retried inside.
/// </para>
/// </summary>
public interface IObjectStore
{
    /// <summary>Creates <paramref name="name"/> if nothing has that name (If-None-Match: *). The content may be reused once the call completed.</summary>
    ValueTask<PutResult> CreateAsync(string name, ReadOnlySequence<byte> content, CancellationToken cancel);

    /// <summary>Replaces <paramref name="name"/> if its ETag is <paramref name="etag"/> (If-Match).</summary>
    ValueTask<PutResult> ReplaceAsync(string name, ReadOnlySequence<byte> content, string etag, CancellationToken cancel);

    /// <summary>Reads a small object whole, with its ETag; null when there is none of that name.</summary>
    ValueTask<StoredObject?> ReadAsync(string name, CancellationToken cancel);

    /// <summary>
    /// Fills <paramref name="destination"/> from <paramref name="offset"/> on, or less where the object ends; answers the bytes read.
    /// Throws <see cref="ObjectNotFoundException"/>.
    /// </summary>
    ValueTask<int> ReadRangeAsync(string name, long offset, Memory<byte> destination, CancellationToken cancel);

    /// <summary>Deletes <paramref name="name"/>; no error when it is not there.</summary>
    ValueTask DeleteAsync(string name, CancellationToken cancel);

    /// <summary>Every object whose name starts with <paramref name="prefix"/>, in ordinal order of the names.</summary>
    IAsyncEnumerable<ObjectInfo> ListAsync(string prefix, CancellationToken cancel);
}

/// <summary>An object's bytes and ETag.</summary>
public sealed record StoredObject(ReadOnlyMemory<byte> Content, string ETag);

/// <summary>The store could not be reached or refused; the same call may succeed later.</summary>
public sealed class StoreUnavailableException : IOException
{
    public StoreUnavailableException() { }
    public StoreUnavailableException(string message) : base(message) { }
    public StoreUnavailableException(string message, Exception inner) : base(message, inner) { }
}

/// <summary>A range was asked of an object that is not there.</summary>
public sealed class ObjectNotFoundException : IOException
{
    public ObjectNotFoundException() { }
    public ObjectNotFoundException(string name) : base($"no object '{name}' in the store") { }
    public ObjectNotFoundException(string message, Exception inner) : base(message, inner) { }
}
