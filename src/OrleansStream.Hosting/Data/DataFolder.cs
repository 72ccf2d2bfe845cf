using System.Text;
using OrleansStream.Platform.Files;
using OrleansStream.Storage;

namespace OrleansStream.Hosting.Data;

/// <summary>
/// The data folder: <c>journal</c>, <c>store</c>, <c>format</c> (the version of the layout) and <c>lock</c>. Held by
/// this process alone, or by several that share it, none of which is of the first kind.
/// </summary>
internal sealed class DataFolder : IDisposable
{
    /// <summary>The layout that this program writes.</summary>
    public const int FormatVersion = 1;

    private const string FormatPrefix = "orleansstream-data ";

    private readonly IDisposable _lock;

    private DataFolder(string path, IDisposable held)
    {
        FullPath = path;
        _lock = held;
    }

    public string FullPath { get; }
    public string Journal => Path.Combine(FullPath, "journal");
    public string Store => Path.Combine(FullPath, "store");

    /// <summary>
    /// Opens the folder, making it where there is none. Throws <see cref="FolderInUseException"/> or <see cref="UnsupportedFormatException"/>, whose
    /// messages are for the user, or the <see cref="IOException"/> of the file system.
    /// </summary>
    /// <param name="shared">Whether other processes may open it, too, if they say the same.</param>
    public static DataFolder Open(string path, bool shared = false)
    {
        path = Path.GetFullPath(path);
        Directory.CreateDirectory(path);
        FolderLock held = FolderLock.Take(path, shared);
        try
        {
            string format = Path.Combine(path, "format");
            if (File.Exists(format))
                Check(path, File.ReadAllText(format));
            else
                WriteDurably(format, $"{FormatPrefix}{FormatVersion}\n");
            return new DataFolder(path, held);
        }
        catch
        {
            held.Dispose();
            throw;
        }
    }

    public void Dispose() => _lock.Dispose();

    private static void Check(string path, string text)
    {
        if (!text.StartsWith(FormatPrefix, StringComparison.Ordinal) || !int.TryParse(text.AsSpan(FormatPrefix.Length).Trim(), out int version))
            throw new UnsupportedFormatException($"the folder '{path}' has a file 'format' that is not ours; nothing was touched");
        if (version > FormatVersion)
        {
            throw new UnsupportedFormatException(
                $"the folder '{path}' was written by a newer version of this program (format {version}, this one knows {FormatVersion}); nothing was touched");
        }
    }

    private static void WriteDurably(string path, string text)
    {
        string temporary = $"{path}.{Environment.ProcessId}.new";
        using (var file = new FileStream(temporary, FileMode.Create, FileAccess.Write))
        {
            file.Write(Encoding.ASCII.GetBytes(text));
            file.Flush(flushToDisk: true);
        }
        File.Move(temporary, path, overwrite: true);
    }
}
