using System.Globalization;
using System.IO.Enumeration;
using System.Security.Cryptography;
using System.Text;
using OrleansStream.Platform.Files;
using OrleansStream.Protocol.Records;
using OrleansStream.Storage.Ports;

namespace OrleansStream.Platform.Stores;

/// <summary>
/// The folder behind a <see cref="FolderObjectStore"/>: names to paths, temporary files, locks between processes.
/// <code>
/// .store/temporary/{random id}/    one folder for each living process, locked by it; those of dead ones are cleared at start
/// .store/locks/{00 to 3f}          held for the length of one swap or delete; an object's lock is the CRC32C of its name modulo 64
/// </code>
/// </summary>
internal sealed class StoreFolder : IDisposable
{
    private const int Locks = 64;

    private readonly string _root;
    private readonly string _locks;
    private readonly string _temporary;
    private readonly FolderLock _own;
    private long _made;

    private StoreFolder(string root, string locks, string temporary, FolderLock own)
    {
        _root = root;
        _locks = locks;
        _temporary = temporary;
        _own = own;
    }

    public static StoreFolder Open(string path)
    {
        var root = Path.GetFullPath(path);
        var locks = Path.Combine(root, ".store", "locks");
        var temporaries = Path.Combine(root, ".store", "temporary");
        Directories.CreateDurably(locks);
        Directories.CreateDurably(temporaries);
        // Between making a folder and locking it, another process must not take it for a dead one's.
        using (FileLock.Take(Path.Combine(locks, "start")))
        {
            foreach (var left in Directory.GetDirectories(temporaries))
                ClearIfDead(left);
            var own = Path.Combine(temporaries, Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(8)));
            Directory.CreateDirectory(own);
            return new StoreFolder(root, locks, own, FolderLock.Take(own));
        }
    }

    /// <summary>The file of an object. Throws <see cref="ArgumentException"/> for what is no object's name.</summary>
    public string PathOf(string name) => IsName(name) ? Path.Combine(_root, name) : throw new ArgumentException($"'{name}' is no object name", nameof(name));

    public string NewTemporary() => Path.Combine(_temporary, Interlocked.Increment(ref _made).ToString(CultureInfo.InvariantCulture));

    /// <summary>Gives a finished temporary file its name, making directories as needed; false where the name is taken.</summary>
    public bool TryLink(string temporary, string path)
    {
        while (true)
        {
            try
            {
                Directories.CreateDurably(Path.GetDirectoryName(path)!);
                if (!OperatingSystem.IsWindows())
                    return Posix.TryLink(temporary, path);
                File.Move(temporary, path, overwrite: false);
                return true;
            }
            catch (IOException) when (OperatingSystem.IsWindows() && File.Exists(path))
            {
                return false;
            }
            catch (IOException) when (!Directory.Exists(Path.GetDirectoryName(path)))
            {
                // Somebody deleted the directory's last object just now: make it again.
            }
        }
    }

    /// <summary>Waits for the lock of an object, which excludes every other process and caller until disposed.</summary>
    public IDisposable Lock(string name)
    {
        var number = Crc32C.Compute(Encoding.ASCII.GetBytes(name)) % Locks;
        return FileLock.Take(Path.Combine(_locks, number.ToString("x2", CultureInfo.InvariantCulture)));
    }

    public IReadOnlyList<ObjectInfo> List(string prefix)
    {
        var slash = prefix.LastIndexOf('/');
        var from = slash < 0 ? _root : Path.Combine(_root, prefix[..slash]);
        if (!Directory.Exists(from))
            return [];
        var files = new FileSystemEnumerable<ObjectInfo>(
            from,
            (ref entry) => new ObjectInfo(NameOf(entry.ToFullPath()), entry.Length),
            new EnumerationOptions { RecurseSubdirectories = true, AttributesToSkip = 0, IgnoreInaccessible = false })
        {
            ShouldIncludePredicate = (ref entry) => !entry.IsDirectory,
            ShouldRecursePredicate = (ref entry) => entry.FileName[0] != '.',
        };
        List<ObjectInfo> found = [];
        try
        {
            foreach (var file in files)
            {
                if (file.Name.StartsWith(prefix, StringComparison.Ordinal))
                    found.Add(file);
            }
        }
        catch (DirectoryNotFoundException)
        {
            // Gone with its last object between the look and the walk.
            return [];
        }
        found.Sort(static (a, b) => string.CompareOrdinal(a.Name, b.Name));
        return found;
    }

    /// <summary>Directories follow their last object, so that deleted topics leave nothing. Best effort: an empty one does no harm.</summary>
    public void RemoveEmptyParents(string path)
    {
        for (var directory = Path.GetDirectoryName(path)!; directory.Length > _root.Length; directory = Path.GetDirectoryName(directory)!)
        {
            try
            {
                Directory.Delete(directory, recursive: false);
            }
            catch (IOException)
            {
                return;
            }
        }
    }

    /// <summary>Deletes a temporary file that may be there. A failure only leaves it for the next start to clear.</summary>
    public static void Discard(string temporary)
    {
        try
        {
            File.Delete(temporary);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
        }
    }

    public void Dispose()
    {
        _own.Dispose();
        try
        {
            Directory.Delete(_temporary, recursive: true);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            // The next start clears it.
        }
    }

    private static void ClearIfDead(string folder)
    {
        try
        {
            using (FolderLock.Take(folder))
                Directory.Delete(folder, recursive: true);
        }
        catch (FolderInUseException)
        {
        }
    }

    private string NameOf(string path) => Path.GetRelativePath(_root, path).Replace('\\', '/');

    private static bool IsName(string name)
    {
        if (name.Length is 0 or > 1000)
            return false;
        foreach (var part in name.Split('/'))
        {
            if (part.Length is 0 or > 255 || part[0] == '.' || !part.All(c => char.IsAsciiLetterOrDigit(c) || c is '.' or '_' or '-'))
                return false;
        }
        return true;
    }
}
