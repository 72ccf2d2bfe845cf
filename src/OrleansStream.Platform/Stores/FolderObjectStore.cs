using System.Buffers;
using System.Runtime.CompilerServices;
using System.Security.Cryptography;
using OrleansStream.Platform.Files;
using OrleansStream.Storage.Ports;
using OrleansStream.Storage.Segments;

namespace OrleansStream.Platform.Stores;

/// <summary>
/// An object store in a folder, which several processes of one machine may share. Objects are files under their own names, byte for byte what an
/// Azure container would hold; ".store" beside them holds temporary files and locks.
/// <para>
/// Create: temporary file, sync, link to the name (which fails where the name is taken), sync of the directory. Replace: temporary file, sync,
/// then under a lock of the operating system compare, rename, sync of the directory. A crash leaves the old object or the new one, and at most a temporary
/// file that the next start clears away.
/// </para>
/// <para>
/// The ETag is the SHA-256 of the content: an object that went from A to B and back to A matches A again, which is harmless, as whoever
/// compares has seen exactly what is there. Objects above <see cref="MaxReplaceBytes"/> are immutable and have a constant ETag that matches nothing.
/// </para>
/// </summary>
public sealed class FolderObjectStore : IObjectStore, IDisposable
{
    /// <summary>Replace is for manifests and the like; hashing gigabytes of segments would cost a core.</summary>
    public const int MaxReplaceBytes = 4 << 20;

    private const string LargeETag = "immutable";
    private const int MaxIoThreads = 8;
    private const int MaxSegmentWriters = 4;

    // A segment from here on takes a processor for milliseconds. Nobody waits for it, as producers do for an object of a journal.
    private const int YieldingBytes = 256 << 10;

    private readonly StoreFolder _folder;
    private readonly FileContent _files;
    private readonly IoThreads _threads = new("folder store", MaxIoThreads);
    private readonly IoThreads _segmentWriters = new("segment writer", MaxSegmentWriters, yielding: true);

    /// <summary>Creates the folder if need be and clears away what dead processes left.</summary>
    /// <param name="direct">False goes without direct I/O even where it would work.</param>
    public FolderObjectStore(string path, bool direct = true)
    {
        _folder = StoreFolder.Open(path);
        _files = new FileContent(direct);
    }

    public ValueTask<PutResult> CreateAsync(string name, ReadOnlySequence<byte> content, CancellationToken cancel)
    {
        var path = _folder.PathOf(name);
        var threads = content.Length > YieldingBytes && SegmentNames.IsSegment(name) ? _segmentWriters : _threads;
        return new ValueTask<PutResult>(threads.RunAsync(() => Create(path, content), cancel));
    }

    public ValueTask<PutResult> ReplaceAsync(string name, ReadOnlySequence<byte> content, string etag, CancellationToken cancel)
    {
        if (content.Length > MaxReplaceBytes)
            throw new ArgumentException($"'{name}' of {content.Length} bytes is too large to be replaced; the most are {MaxReplaceBytes}", nameof(content));
        var path = _folder.PathOf(name);
        return new ValueTask<PutResult>(_threads.RunAsync(() => Replace(name, path, content, etag), cancel));
    }

    public ValueTask<StoredObject?> ReadAsync(string name, CancellationToken cancel)
    {
        var path = _folder.PathOf(name);
        return new ValueTask<StoredObject?>(_threads.RunAsync(() => Attempt("read", name, () => Read(path)), cancel));
    }

    public ValueTask<int> ReadRangeAsync(string name, long offset, Memory<byte> destination, CancellationToken cancel)
    {
        var path = _folder.PathOf(name);
        return new ValueTask<int>(_threads.RunAsync(() => Attempt("read", name, () => ReadRange(name, path, offset, destination)), cancel));
    }

    public async ValueTask DeleteAsync(string name, CancellationToken cancel)
    {
        var path = _folder.PathOf(name);
        await _threads.RunAsync(() => Attempt("delete", name, () => Delete(name, path)), cancel);
    }

    public async IAsyncEnumerable<ObjectInfo> ListAsync(string prefix, [EnumeratorCancellation] CancellationToken cancel)
    {
        foreach (var info in await _threads.RunAsync(() => Attempt("list", prefix, () => _folder.List(prefix)), cancel))
            yield return info;
    }

    public void Dispose()
    {
        _files.Dispose();
        _folder.Dispose();
    }

    private PutResult Create(string path, ReadOnlySequence<byte> content)
    {
        if (File.Exists(path))
            return PutResult.Conflict;
        var temporary = WriteTemporary(path, content);
        try
        {
            if (!_folder.TryLink(temporary, path))
                return PutResult.Conflict;
        }
        catch (IOException error) when (error.HResult == Posix.EIO)
        {
            return PutResult.Unknown;
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            throw new StoreUnavailableException($"'{path}' was not created: {error.Message}", error);
        }
        finally
        {
            StoreFolder.Discard(temporary);
        }
        return SyncDirectory(path) ? PutResult.Done(ETagOf(content)) : PutResult.Unknown;
    }

    private PutResult Replace(string name, string path, ReadOnlySequence<byte> content, string etag)
    {
        var temporary = WriteTemporary(path, content);
        try
        {
            using (_folder.Lock(name))
            {
                if (Read(path)?.ETag != etag || etag == LargeETag)
                    return PutResult.Conflict;
                File.Move(temporary, path, overwrite: true);
                return SyncDirectory(path) ? PutResult.Done(ETagOf(content)) : PutResult.Unknown;
            }
        }
        catch (IOException error) when (error.HResult == Posix.EIO)
        {
            return PutResult.Unknown;
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            throw new StoreUnavailableException($"'{path}' was not replaced: {error.Message}", error);
        }
        finally
        {
            StoreFolder.Discard(temporary);
        }
    }

    /// <summary>A failure here (a full disk) is certain: nothing has the object's name yet.</summary>
    private string WriteTemporary(string path, ReadOnlySequence<byte> content)
    {
        var temporary = _folder.NewTemporary();
        try
        {
            _files.Write(temporary, content);
            return temporary;
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            StoreFolder.Discard(temporary);
            throw new StoreUnavailableException($"'{path}' was not written: {error.Message}", error);
        }
    }

    private static bool SyncDirectory(string path)
    {
        try
        {
            Directories.Sync(Path.GetDirectoryName(path)!);
            return true;
        }
        catch (IOException)
        {
            // The name is there, whether a crash leaves it there nobody knows: what "unknown" means.
            return false;
        }
    }

    private StoredObject? Read(string path)
    {
        try
        {
            using var file = File.OpenHandle(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
            var bytes = new byte[RandomAccess.GetLength(file)];
            var total = 0;
            while (total < bytes.Length)
            {
                var read = RandomAccess.Read(file, bytes.AsSpan(total), total);
                if (read == 0)
                    throw new IOException($"'{path}' shrank while it was read");
                total += read;
            }
            return new StoredObject(bytes, ETagOf(new ReadOnlySequence<byte>(bytes)));
        }
        catch (Exception error) when (error is FileNotFoundException or DirectoryNotFoundException)
        {
            return null;
        }
    }

    private int ReadRange(string name, string path, long offset, Memory<byte> destination)
    {
        try
        {
            return _files.Read(path, offset, destination.Span);
        }
        catch (Exception error) when (error is FileNotFoundException or DirectoryNotFoundException)
        {
            throw new ObjectNotFoundException(name);
        }
    }

    private bool Delete(string name, string path)
    {
        // Under the object's lock, so that a replace that has just compared does not bring it back.
        using (_folder.Lock(name))
        {
            if (!File.Exists(path))
                return false;
            File.Delete(path);
            Directories.SyncIfThere(Path.GetDirectoryName(path)!);
        }
        _folder.RemoveEmptyParents(path);
        return true;
    }

    private static T Attempt<T>(string what, string name, Func<T> call)
    {
        try
        {
            return call();
        }
        catch (Exception error) when (error is IOException and not ObjectNotFoundException or UnauthorizedAccessException)
        {
            throw new StoreUnavailableException($"cannot {what} '{name}': {error.Message}", error);
        }
    }

    private static string ETagOf(ReadOnlySequence<byte> content)
    {
        if (content.Length > MaxReplaceBytes)
            return LargeETag;
        if (content.IsSingleSegment)
            return Convert.ToHexStringLower(SHA256.HashData(content.FirstSpan));
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        foreach (var memory in content)
            hash.AppendData(memory.Span);
        return Convert.ToHexStringLower(hash.GetHashAndReset());
    }
}
