namespace OrleansStream.Platform.Files;

/// <summary>Directory entries that must survive a crash.</summary>
internal static class Directories
{
    /// <summary>Makes the entries of a directory durable. Windows has no such call; NTFS journals its metadata.</summary>
    public static void Sync(string path)
    {
        if (OperatingSystem.IsWindows())
            return;
        using var directory = Posix.Open(path, Posix.ReadOnly);
        Posix.Sync(directory, path);
    }

    /// <summary>The same, where somebody else may be removing the directory with its last entry.</summary>
    public static void SyncIfThere(string path)
    {
        try
        {
            Sync(path);
        }
        catch (IOException) when (!Directory.Exists(path))
        {
        }
    }

    /// <summary>Creates a directory and those above it, each entry durable.</summary>
    public static void CreateDurably(string path)
    {
        if (Directory.Exists(path))
            return;
        var parent = Path.GetDirectoryName(path);
        if (!string.IsNullOrEmpty(parent))
            CreateDurably(parent);
        Directory.CreateDirectory(path);
        if (!string.IsNullOrEmpty(parent))
            Sync(parent);
    }
}
