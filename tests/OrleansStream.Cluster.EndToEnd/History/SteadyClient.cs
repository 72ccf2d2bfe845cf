using System.Diagnostics;
using System.Text.Json;
using OrleansStream.EndToEnd.Brokers;

namespace OrleansStream.Cluster.EndToEnd.History;

/// <summary>
/// librdkafka at work while the cluster is in trouble (tests/clients/python/steady_confluent.py): an idempotent producer, and a consumer that follows it.
/// Where it is not installed, the test goes on without it and says so.
/// </summary>
internal sealed class SteadyClient : IAsyncDisposable
{
    private const string Python = "/usr/bin/python3";
    private readonly Process? _process;
    private readonly Task<string> _complaints = Task.FromResult("");

    public SteadyClient(string bootstrap, string topic)
    {
        if (!File.Exists("/var/lib/dpkg/info/python3-confluent-kafka.list")) return;
        var info = new ProcessStartInfo(Python) { RedirectStandardInput = true, RedirectStandardOutput = true, RedirectStandardError = true };
        foreach (string argument in (string[])[Path.Combine(Repository.Root, "tests", "clients", "python", "steady_confluent.py"), bootstrap, topic]) info.ArgumentList.Add(argument);
        _process = Process.Start(info)!;
        _complaints = _process.StandardError.ReadToEndAsync();
    }

    /// <summary>Ends it and holds what it was told against what it read: nothing failed, lost, twice or out of order. Answers a line for people.</summary>
    public async Task<string> CheckAsync()
    {
        if (_process is null) return "SKIPPED: librdkafka is not installed (python3-confluent-kafka); only the producers of the test ran";
        await _process.StandardInput.WriteLineAsync();
        string? line = await _process.StandardOutput.ReadLineAsync();
        await _process.WaitForExitAsync();
        Assert.True(_process.ExitCode == 0 && line is not null, $"the client ended with {_process.ExitCode}: {await _complaints}");
        JsonElement said = JsonSerializer.Deserialize<JsonElement>(line);
        List<string> failed = [.. said.GetProperty("failed").EnumerateArray().Select(static f => f.GetString()!)];
        Assert.True(failed.Count == 0, $"{failed.Count} failed: {string.Join(", ", failed.Distinct())}");
        Dictionary<int, int[]> read = said.GetProperty("read").EnumerateObject()
            .ToDictionary(static p => int.Parse(p.Name, System.Globalization.CultureInfo.InvariantCulture), static p => p.Value.EnumerateArray().Select(static n => n.GetInt32()).ToArray());
        foreach ((int partition, int[] numbers) in read)
        {
            for (int i = 1; i < numbers.Length; i++) Assert.True(numbers[i] > numbers[i - 1], $"partition {partition}: the client read {numbers[i]} after {numbers[i - 1]}");
        }
        foreach (JsonElement acked in said.GetProperty("acked").EnumerateArray())
        {
            (int partition, int offset, int number) = (acked[0].GetInt32(), acked[1].GetInt32(), acked[2].GetInt32());
            Assert.True(offset < read[partition].Length && read[partition][offset] == number, $"partition {partition}: the client was told that {number} is at {offset}, and did not read it there");
        }
        return $"librdkafka: {said.GetProperty("sent").GetInt32()} records sent and acknowledged, none failed, lost, twice or out of order; "
            + $"latency p50 {said.GetProperty("p50").GetDouble()} ms, p99 {said.GetProperty("p99").GetDouble()} ms, longest {said.GetProperty("max").GetDouble()} ms";
    }

    public async ValueTask DisposeAsync()
    {
        if (_process is null) return;
        if (!_process.HasExited) _process.Kill();
        await _process.WaitForExitAsync();
        _process.Dispose();
    }
}
