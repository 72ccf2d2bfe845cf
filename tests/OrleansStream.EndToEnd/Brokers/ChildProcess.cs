using System.Diagnostics;
using System.Runtime.InteropServices;
using System.Text;

namespace OrleansStream.EndToEnd.Brokers;

/// <summary>A process that a test started, with the end of what it printed. Disposed, it is gone.</summary>
internal sealed class ChildProcess : IAsyncDisposable
{
    private const int KeptCharacters = 20_000;
    private readonly Process _process;
    private readonly StringBuilder _printed = new();

    private ChildProcess(Process process) => _process = process;

    public int Id => _process.Id;
    public bool HasEnded => _process.HasExited;
    public int ExitCode => _process.ExitCode;
    public long ResidentBytes { get { _process.Refresh(); return _process.WorkingSet64; } }
    public long PeakResidentBytes { get { _process.Refresh(); return _process.PeakWorkingSet64; } }

    /// <summary>The last of what it printed, on both streams.</summary>
    public string Printed { get { lock (_printed) return _printed.ToString(); } }

    public static ChildProcess Start(IReadOnlyList<string> command, IReadOnlyDictionary<string, string>? environment = null)
    {
        var info = new ProcessStartInfo(command[0]) { RedirectStandardOutput = true, RedirectStandardError = true, WorkingDirectory = Repository.Root };
        foreach (var argument in command.Skip(1)) info.ArgumentList.Add(argument);
        // What ./test.sh tells its tests would be settings to a broker.
        foreach (var name in info.Environment.Keys.Where(k => k.StartsWith("OSTREAM_", StringComparison.Ordinal)).ToList()) info.Environment.Remove(name);
        foreach (var (name, value) in environment ?? new Dictionary<string, string>()) info.Environment[name] = value;
        var process = new Process { StartInfo = info };
        var child = new ChildProcess(process);
        process.OutputDataReceived += (_, e) => child.Keep(e.Data);
        process.ErrorDataReceived += (_, e) => child.Keep(e.Data);
        process.Start();
        process.BeginOutputReadLine();
        process.BeginErrorReadLine();
        return child;
    }

    /// <summary>Sends a signal by its Linux number.</summary>
    public void Signal(int number)
    {
        if (!_process.HasExited) _ = Kill(_process.Id, number);
    }

    /// <summary>The same to a child's child.</summary>
    public static void Signal(int process, int number) => _ = Kill(process, number);

    public const int SigKill = 9, SigTerm = 15, SigCont = 18, SigStop = 19;

    /// <summary>Waits until it ended; false when it is still there after <paramref name="patience"/>.</summary>
    public async Task<bool> EndsWithinAsync(TimeSpan patience)
    {
        using var limit = new CancellationTokenSource(patience);
        try { await _process.WaitForExitAsync(limit.Token); return true; }
        catch (OperationCanceledException) { return false; }
    }

    public async ValueTask DisposeAsync()
    {
        if (!_process.HasExited)
        {
            Signal(SigCont);
            Signal(SigTerm);
            if (!await EndsWithinAsync(TimeSpan.FromSeconds(20)))
            {
                _process.Kill(entireProcessTree: true);
                await _process.WaitForExitAsync();
            }
        }
        _process.Dispose();
    }

    private void Keep(string? line)
    {
        if (line is null) return;
        lock (_printed)
        {
            _printed.AppendLine(line);
            if (_printed.Length > KeptCharacters) _printed.Remove(0, _printed.Length - KeptCharacters);
        }
    }

    [DllImport("libc", EntryPoint = "kill", SetLastError = true)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.System32)]
    private static extern int Kill(int process, int signal);
}
