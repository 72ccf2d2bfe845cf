using OrleansStream.Platform.Files;
using OrleansStream.Storage.Ports;

namespace OrleansStream.Platform.Journals;

/// <summary>
/// A disk journal's folder on the local file system, locked for this process. Opens its files for direct I/O where the file system takes it
/// (ext4, xfs), otherwise (tmpfs, macOS, Windows) for buffered writes with a sync behind each. Reads and writes block the calling thread and return
/// completed tasks: they are for the journal's own thread.
/// </summary>
public sealed class JournalFolder : IJournalFolder, IDisposable
{
    private readonly FolderLock _lock;
    private readonly StagingBuffers _staging = new(4 << 20, kept: 2);
    private readonly bool _direct;
    private readonly DriveInfo? _drive;

    /// <summary>
    /// Creates the folder if need be and locks it. Throws <see cref="FolderInUseException"/> where another process has it.
    /// </summary>
    /// <param name="direct">False goes without direct I/O even where it would work.</param>
    public JournalFolder(string path, bool direct = true)
    {
        FullPath = Path.GetFullPath(path);
        _direct = direct && OperatingSystem.IsLinux();
        Directories.CreateDurably(FullPath);
        _lock = FolderLock.Take(FullPath);
        // A network share of Windows has no drive.
        _drive = FullPath.StartsWith(@"\\", StringComparison.Ordinal) ? null : new DriveInfo(FullPath);
    }

    public string FullPath { get; }

    public long FreeBytes => _drive?.AvailableFreeSpace ?? long.MaxValue;

    public IReadOnlyList<ObjectInfo> List()
    {
        var files = new List<ObjectInfo>();
        foreach (FileInfo file in new DirectoryInfo(FullPath).EnumerateFiles())
        {
            if (file.Name == FolderLock.FileName)
                continue;
            try
            {
                files.Add(new ObjectInfo(file.Name, file.Length));
            }
            catch (FileNotFoundException)
            {
                // The journal renamed or deleted it while we looked: it is listed under its new name, or gone.
            }
        }
        files.Sort(static (a, b) => string.CompareOrdinal(a.Name, b.Name));
        return files;
    }

    public ValueTask<IJournalFile> OpenAsync(string name, long? createLength, CancellationToken cancel)
    {
        cancel.ThrowIfCancellationRequested();
        if (createLength is { } length && (length <= 0 || length % StagingBuffers.Alignment != 0))
            throw new ArgumentException($"a length of {length} is no multiple of {StagingBuffers.Alignment}", nameof(createLength));
        var file = OperatingSystem.IsLinux()
            ? LinuxJournalFile.Open(PathOf(name), name, createLength, _direct, _staging)
            : PortableJournalFile.Open(PathOf(name), name, createLength);
        if (createLength is not null)
            Directories.Sync(FullPath);
        return ValueTask.FromResult(file);
    }

    public ValueTask RenameAsync(string name, string newName, CancellationToken cancel)
    {
        cancel.ThrowIfCancellationRequested();
        File.Move(PathOf(name), PathOf(newName), overwrite: false);
        Directories.Sync(FullPath);
        return ValueTask.CompletedTask;
    }

    public ValueTask DeleteAsync(string name, CancellationToken cancel)
    {
        cancel.ThrowIfCancellationRequested();
        File.Delete(PathOf(name));
        Directories.Sync(FullPath);
        return ValueTask.CompletedTask;
    }

    public void Dispose()
    {
        _staging.Dispose();
        _lock.Dispose();
    }

    private string PathOf(string name) =>
        name.Length > 0 && name != FolderLock.FileName && name.All(c => char.IsAsciiLetterOrDigit(c) || c is '.' or '_' or '-') && name[0] != '.'
            ? Path.Combine(FullPath, name)
            : throw new ArgumentException($"'{name}' is no name for a journal file", nameof(name));
}
