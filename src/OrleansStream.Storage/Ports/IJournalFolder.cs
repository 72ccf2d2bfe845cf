namespace OrleansStream.Storage.Ports;

/// <summary>
/// The folder of a disk journal: files of fixed length that are written in 4 KiB-aligned blocks and recycled. The adapter holds the
/// folder's lock for the life of the object and knows direct I/O; it knows nothing of the format.
/// </summary>
public interface IJournalFolder
{
    /// <summary>Names and lengths of the journal files that are there, in ordinal order.</summary>
    IReadOnlyList<ObjectInfo> List();

    /// <summary>Bytes that the file system of the folder has left for this process; <see cref="long.MaxValue"/> where it does not say.</summary>
    long FreeBytes { get; }

    /// <summary>
    /// Opens a file for reading and writing. With <paramref name="createLength"/> it is created: its directory entry is durable before this
    /// returns, its blocks may still be unwritten (sparse or merely reserved).
    /// </summary>
    ValueTask<IJournalFile> OpenAsync(string name, long? createLength, CancellationToken cancel);

    /// <summary>Gives a recycled file another name, durably.</summary>
    ValueTask RenameAsync(string name, string newName, CancellationToken cancel);

    ValueTask DeleteAsync(string name, CancellationToken cancel);
}

/// <summary>One file of a disk journal.</summary>
public interface IJournalFile : IAsyncDisposable
{
    string Name { get; }
    long Length { get; }

    /// <summary>
    /// Writes the parts one behind the other at <paramref name="position"/> and syncs the data: one vectored write and one data sync, or a
    /// direct write from an aligned staging copy. Position and the sum of the lengths are multiples of 4096. The parts may be reused after completion.
    /// After an <see cref="IOException"/> it is unknown what the file holds there, and the file is never written again.
    /// </summary>
    ValueTask WriteAsync(long position, IReadOnlyList<ReadOnlyMemory<byte>> parts, CancellationToken cancel);

    /// <summary>Reads until the buffer is full or the file ends; answers the bytes read. Position and length are multiples of 4096.</summary>
    ValueTask<int> ReadAsync(long position, Memory<byte> destination, CancellationToken cancel);

    /// <summary>Writes zeros over the whole file and syncs, so that later writes only overwrite: for a file made ahead of demand.</summary>
    ValueTask ZeroAsync(CancellationToken cancel);
}
