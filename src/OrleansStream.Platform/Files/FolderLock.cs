using System.Globalization;
using System.Text;
using Microsoft.Win32.SafeHandles;

namespace OrleansStream.Platform.Files;

/// <summary>Another process works in this folder: the sentence names it.</summary>
public sealed class FolderInUseException : IOException
{
    public FolderInUseException() { }
    public FolderInUseException(string message) : base(message) { }
    public FolderInUseException(string message, Exception inner) : base(message, inner) { }
}

/// <summary>
/// A folder for one process alone, or for several that share it, held until disposed or until the process dies, however it dies. The lock file stays
/// behind; only the lock counts.
/// </summary>
public sealed class FolderLock : IDisposable
{
    public const string FileName = "lock";

    private readonly IDisposable _file;

    private FolderLock(IDisposable file) => _file = file;

    /// <summary>Throws <see cref="FolderInUseException"/> where another holds it (also one of this process).</summary>
    /// <param name="shared">Others may hold it at the same time, if they share it, too.</param>
    public static FolderLock Take(string folder, bool shared = false)
    {
        var path = Path.Combine(folder, FileName);
        return new FolderLock(OperatingSystem.IsWindows() ? TakeOnWindows(path, folder, shared) : TakeOnUnix(path, folder, shared));
    }

    public void Dispose() => _file.Dispose();

    private static SafeFileHandle TakeOnUnix(string path, string folder, bool shared)
    {
        var file = Posix.Open(path, Posix.ReadWrite | Posix.Create);
        if (!Posix.Lock(file, wait: false, path, shared))
        {
            using (file)
                throw InUse(folder, ReadHolder(file));
        }
        RandomAccess.SetLength(file, 0);
        if (!shared)
            RandomAccess.Write(file, Encoding.ASCII.GetBytes(Environment.ProcessId.ToString(CultureInfo.InvariantCulture)), 0);
        return file;
    }

    private static FileStream TakeOnWindows(string path, string folder, bool shared)
    {
        try
        {
            return shared
                ? new FileStream(path, FileMode.OpenOrCreate, FileAccess.Read, FileShare.Read)
                : new FileStream(path, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
        }
        catch (IOException) when (File.Exists(path))
        {
            throw InUse(folder, "");
        }
    }

    private static string ReadHolder(SafeFileHandle file)
    {
        var bytes = new byte[20];
        return Encoding.ASCII.GetString(bytes, 0, RandomAccess.Read(file, bytes, 0));
    }

    private static FolderInUseException InUse(string folder, string holder) =>
        new($"the folder '{folder}' is in use by another process{(holder.Length > 0 ? $" (id {holder})" : "")}");
}
