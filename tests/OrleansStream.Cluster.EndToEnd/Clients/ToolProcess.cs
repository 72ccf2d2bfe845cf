using System.Diagnostics;
using System.Text;
using System.Text.Json;
using OrleansStream.EndToEnd.Brokers;

namespace OrleansStream.Cluster.EndToEnd.Clients;

/// <summary>A process that prints a JSON object a line until SIGTERM ends it. Disposed, it is gone.</summary>
internal sealed class ToolProcess : IAsyncDisposable
{
    // SIGTERM as Java and programs without a handler report it.
    private static readonly int[] s_good = [0, 128 + ChildProcess.SigTerm];

    // librdkafka's threads do not rest while a broker owes them answers: at the priority of the rest two of them left Azurite a quarter of a processor.
    private const string Lowest = "19";

    private const int KeptCharacters = 8_000;

    // Flushing what is under way may take until a producer's delivery time-out.
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(180);

    private readonly Process _process;
    private readonly string _what;
    private readonly StringBuilder _complaints = new();
    private readonly Task _reading;
    private readonly Task _complaining;
    private bool _stopped;

    /// <param name="what">Its name, for people.</param>
    /// <param name="said">Called with each object, in their order.</param>
    public ToolProcess(string what, IReadOnlyList<string> command, Action<JsonElement> said)
    {
        _what = what;
        var info = new ProcessStartInfo("nice") { RedirectStandardOutput = true, RedirectStandardError = true };
        foreach (string argument in (string[])["-n", Lowest, .. command]) info.ArgumentList.Add(argument);
        _process = Process.Start(info)!;
        _reading = ReadAsync(said);
        _complaining = ComplainAsync();
    }

    /// <summary>Completes, by failing, when it ends though nobody has asked it to, or says what cannot be understood.</summary>
    public async Task EndsAloneAsync()
    {
        await _reading;
        await _process.WaitForExitAsync();
        await _complaining;
        if (!_stopped) throw new InvalidOperationException($"{_what} ended by itself with {_process.ExitCode}: {Complaints}");
    }

    /// <summary>SIGTERM: it prints the last that it has to say, and must end well.</summary>
    public async Task StopAsync()
    {
        if (_process.HasExited) await EndsAloneAsync();
        _stopped = true;
        ChildProcess.Signal(_process.Id, ChildProcess.SigTerm);
        using var limit = new CancellationTokenSource(Patience);
        try { await _process.WaitForExitAsync(limit.Token); }
        catch (OperationCanceledException) { throw new TimeoutException($"{_what} still runs {Patience.TotalSeconds} s after SIGTERM: {Complaints}"); }
        await _reading;
        await _complaining;
        if (!s_good.Contains(_process.ExitCode)) throw new InvalidOperationException($"{_what} ended with {_process.ExitCode}: {Complaints}");
    }

    public string Complaints { get { lock (_complaints) return _complaints.ToString(); } }

    public async ValueTask DisposeAsync()
    {
        _stopped = true;
        if (!_process.HasExited) _process.Kill(entireProcessTree: true);
        await _process.WaitForExitAsync();
        await Task.WhenAny(_reading);
        await _complaining;
        _process.Dispose();
    }

    private async Task ReadAsync(Action<JsonElement> said)
    {
        while (await _process.StandardOutput.ReadLineAsync() is { } line)
        {
            if (line.StartsWith('{')) said(JsonSerializer.Deserialize<JsonElement>(line));
            else Keep(line);
        }
    }

    private async Task ComplainAsync()
    {
        while (await _process.StandardError.ReadLineAsync() is { } line) Keep(line);
    }

    private void Keep(string line)
    {
        lock (_complaints)
        {
            _complaints.AppendLine(line);
            if (_complaints.Length > KeptCharacters) _complaints.Remove(0, _complaints.Length - KeptCharacters);
        }
    }
}
