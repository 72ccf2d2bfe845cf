using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using OrleansStream.EndToEnd.Brokers;

namespace OrleansStream.EndToEnd.Fleet;

/// <summary>A member of a group in a process of its own (tests/clients/python/group_member.py), which can be killed and stopped as processes are.</summary>
internal sealed class Member : IAsyncDisposable
{
    private readonly Process _process;
    private readonly Task _reading;
    private readonly Task<string> _complaints;
    private readonly TaskCompletionSource _begun = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <param name="read">Called with partition and offset of each record that it has processed.</param>
    /// <param name="workSeconds">How long it works on what it has read, before it commits.</param>
    public Member(string python, string bootstrap, string topic, string group, string protocol, Action<int, long> read, double workSeconds = 0)
    {
        var info = new ProcessStartInfo(python) { RedirectStandardOutput = true, RedirectStandardError = true };
        foreach (var argument in (string[])[Path.Combine(Repository.Root, "tests", "clients", "python", "group_member.py"), bootstrap, topic, group, protocol, workSeconds.ToString(CultureInfo.InvariantCulture)])
            info.ArgumentList.Add(argument);
        _process = Process.Start(info)!;
        _complaints = _process.StandardError.ReadToEndAsync();
        _reading = ReadAsync(read);
    }

    public int ProcessId => _process.Id;

    public bool IsPaused { get; private set; }

    /// <summary>What it last said of its partitions coming and going.</summary>
    public string? LastChange { get; private set; }

    /// <summary>The errors of commits that were refused, because the group had gone on without it.</summary>
    public ConcurrentQueue<string> Refused { get; } = [];

    private async Task ReadAsync(Action<int, long> read)
    {
        while (await _process.StandardOutput.ReadLineAsync() is { } line)
        {
            // Killed, it may have left half a line, which counts for nothing.
            if (!line.EndsWith('}')) continue;
            _begun.TrySetResult();
            var said = JsonSerializer.Deserialize<JsonElement>(line);
            if (said.TryGetProperty("refused", out var reason)) Refused.Enqueue(reason.GetString()!);
            if (said.TryGetProperty("assigned", out _) || said.TryGetProperty("revoked", out _) || said.TryGetProperty("lost", out _)) LastChange = line;
            if (!said.TryGetProperty("read", out var records)) continue;
            foreach (var record in records.EnumerateArray()) read(record[0].GetInt32(), record[1].GetInt64());
        }
        _begun.TrySetResult();
    }

    public void Pause() => Signal(ChildProcess.SigStop, paused: true);
    public void Resume() => Signal(ChildProcess.SigCont, paused: false);

    private void Signal(int number, bool paused)
    {
        ChildProcess.Signal(_process.Id, number);
        IsPaused = paused;
    }

    /// <summary>SIGKILL: it leaves without a word.</summary>
    public async Task KillAsync()
    {
        ChildProcess.Signal(_process.Id, ChildProcess.SigKill);
        await _reading;
        await _process.WaitForExitAsync();
    }

    /// <summary>SIGTERM: it leaves the group, and must end well.</summary>
    public async Task LeaveAsync()
    {
        Resume();
        using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(60));
        // Before it heeds the signal, as its first line says, it would just end.
        await _begun.Task.WaitAsync(patience.Token);
        ChildProcess.Signal(_process.Id, ChildProcess.SigTerm);
        await _process.WaitForExitAsync(patience.Token);
        await _reading;
        if (_process.ExitCode != 0) throw new InvalidOperationException($"a member ended with {_process.ExitCode}: {await _complaints}");
    }

    public bool HasEnded => _process.HasExited;

    /// <summary>What it complained of; for a member that has ended.</summary>
    public Task<string> ComplaintsAsync() => _complaints;

    public async ValueTask DisposeAsync()
    {
        if (!_process.HasExited) await KillAsync();
        _process.Dispose();
    }
}
