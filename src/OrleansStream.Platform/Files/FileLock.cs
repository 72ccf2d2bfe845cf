using Microsoft.Win32.SafeHandles;

namespace OrleansStream.Platform.Files;

/// <summary>A lock between processes, and between callers of one, for a moment. Ends with its process.</summary>
internal static class FileLock
{
    /// <summary>Waits until it has the lock. Each call opens the file anew, so that callers of one process exclude each other too.</summary>
    public static IDisposable Take(string path) => OperatingSystem.IsWindows() ? TakeOnWindows(path) : TakeOnUnix(path);

    private static SafeFileHandle TakeOnUnix(string path)
    {
        var file = Posix.Open(path, Posix.ReadWrite | Posix.Create);
        try
        {
            Posix.Lock(file, wait: true, path);
            return file;
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    private static FileStream TakeOnWindows(string path)
    {
        const int SharingViolation = unchecked((int)0x80070020);
        while (true)
        {
            try
            {
                return new FileStream(path, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
            }
            catch (IOException error) when (error.HResult == SharingViolation)
            {
                // Windows has no call that waits for a file to be closed.
                Thread.Sleep(1);
            }
        }
    }
}
