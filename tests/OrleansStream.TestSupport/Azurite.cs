using System.Diagnostics;
using System.Globalization;

namespace OrleansStream.TestSupport;

/// <summary>
/// An Azurite (Microsoft's emulator of Azure Blob Storage) on a free port of the loopback interface, data in its memory. Installed by
/// tests/azurite/install on first use, which needs node and npm.
/// </summary>
public sealed class Azurite : IDisposable
{
    private const string Account = "devstoreaccount1";

    // Not a secret: the one key that every Azurite has, from its documentation.
    private const string Key = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==";

    private readonly Process _process;

    private Azurite(Process process, int port)
    {
        _process = process;
        Port = port;
        ConnectionString = string.Create(CultureInfo.InvariantCulture,
            $"DefaultEndpointsProtocol=http;AccountName={Account};AccountKey={Key};BlobEndpoint=http://127.0.0.1:{port}/{Account};");
    }

    public int Port { get; }
    public string ConnectionString { get; }

    /// <summary>Starts one, or answers null and the reason why this machine cannot.</summary>
    public static async Task<(Azurite? Azurite, string? Reason)> TryStartAsync()
    {
        if (OperatingSystem.IsWindows())
            return (null, "Azurite is started by scripts for Linux and macOS");
        if (!await RunsAsync("node", "--version") || !await RunsAsync("npm", "--version"))
            return (null, "Azurite needs node and npm, which are not installed");
        var root = RepositoryRoot();
        if (!await RunsAsync(Path.Combine(root, "tests", "azurite", "install"), ""))
            return (null, "tests/azurite/install failed: npm could not fetch Azurite");
        var main = Path.Combine(root, ".cache", "azurite", "node_modules", "azurite", "dist", "src", "blob", "main.js");
        var process = Launch("node", $"\"{main}\" --blobHost 127.0.0.1 --blobPort 0 --silent --skipApiVersionCheck --inMemoryPersistence --disableTelemetry");
        while (await process.StandardOutput.ReadLineAsync() is { } line)
        {
            var at = line.IndexOf("listens on http://127.0.0.1:", StringComparison.Ordinal);
            if (at < 0)
                continue;
            // Read on, so that a full pipe never stops it.
            _ = process.StandardOutput.BaseStream.CopyToAsync(Stream.Null);
            _ = process.StandardError.BaseStream.CopyToAsync(Stream.Null);
            return (new Azurite(process, int.Parse(line[(line.LastIndexOf(':') + 1)..], CultureInfo.InvariantCulture)), null);
        }
        throw new InvalidOperationException($"Azurite ended at its start: {await process.StandardError.ReadToEndAsync()}");
    }

    public void Dispose()
    {
        _process.Kill(entireProcessTree: true);
        _process.WaitForExit();
        _process.Dispose();
    }

    /// <summary>The folder with OrleansStream.sln above the running tests.</summary>
    public static string RepositoryRoot()
    {
        var at = new DirectoryInfo(AppContext.BaseDirectory);
        while (!File.Exists(Path.Combine(at.FullName, "OrleansStream.sln")))
            at = at.Parent ?? throw new InvalidOperationException("the tests do not run inside the repository");
        return at.FullName;
    }

    private static async Task<bool> RunsAsync(string file, string arguments)
    {
        try
        {
            using var process = Launch(file, arguments);
            await Task.WhenAll(process.StandardOutput.ReadToEndAsync(), process.StandardError.ReadToEndAsync());
            await process.WaitForExitAsync();
            return process.ExitCode == 0;
        }
        catch (System.ComponentModel.Win32Exception)
        {
            return false;
        }
    }

    private static Process Launch(string file, string arguments) =>
        Process.Start(new ProcessStartInfo(file, arguments) { RedirectStandardOutput = true, RedirectStandardError = true, UseShellExecute = false })!;
}
