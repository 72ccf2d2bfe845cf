using System.Diagnostics;

namespace OrleansStream.EndToEnd.Outages;

/// <summary>A file system of a few megabytes (tmpfs), mounted for a test that fills it. Needs root; skips loudly without.</summary>
internal sealed class SmallDisk : IAsyncDisposable
{
    private SmallDisk(string folder) => Folder = folder;

    public string Folder { get; }

    public static async Task<SmallDisk> MountAsync(int megabytes)
    {
        var folder = Directory.CreateTempSubdirectory("ostream-disk-").FullName;
        if (await RunAsync("mount", "-t", "tmpfs", "-o", $"size={megabytes}m", "tmpfs", folder) is { } why)
        {
            Directory.Delete(folder);
            Skip.If(true, "no small disk can be mounted here: " + why);
        }
        return new SmallDisk(folder);
    }

    /// <summary>Writes into <paramref name="file"/> until nothing more fits.</summary>
    public void Fill(string file)
    {
        using var stream = new FileStream(file, FileMode.Create, FileAccess.Write, FileShare.None, bufferSize: 0);
        for (var block = new byte[1 << 20]; block.Length >= 512; block = new byte[block.Length / 2])
        {
            try { while (true) stream.Write(block); }
            catch (IOException) { /* full for blocks of this size */ }
        }
    }

    public async ValueTask DisposeAsync()
    {
        await RunAsync("umount", Folder);
        Directory.Delete(Folder);
    }

    private static async Task<string?> RunAsync(params string[] command)
    {
        try
        {
            using var process = Process.Start(new ProcessStartInfo(command[0], command[1..]) { RedirectStandardError = true })!;
            var complaint = await process.StandardError.ReadToEndAsync();
            await process.WaitForExitAsync();
            return process.ExitCode == 0 ? null : complaint.Trim();
        }
        catch (System.ComponentModel.Win32Exception e) { return e.Message; }
    }
}
