using System.Diagnostics;
using System.Text.Json;
using OrleansStream.Cluster.EndToEnd.History;

namespace OrleansStream.Cluster.EndToEnd.Clients;

/// <summary>
/// A tool's consumer, reading a topic from its start: what it reads goes into the history, it is shown every offset, and it goes back only to where its group has
/// committed.
/// </summary>
internal sealed class ToolReader : IAsyncDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(120);

    private readonly TopicHistory _history;
    private readonly SteadyRecords _records;
    private readonly string _name;
    private readonly bool _inGroup;
    private readonly Lock _lock = new();
    private readonly long[] _next;
    private readonly long[] _committed;
    private readonly ToolProcess _process;

    /// <param name="role">Which of the tool's consumers it is, for people and as the name of its group.</param>
    public ToolReader(SteadyTool tool, Place place, string role, TopicHistory history, SteadyRecords records)
    {
        (_history, _records, _name, _inGroup) = (history, records, $"{tool.Name} ({role})", tool.ReadsInGroup);
        (_next, _committed) = (new long[place.Partitions], new long[place.Partitions]);
        _process = new ToolProcess(_name, tool.Consumer(place, role), Said);
    }

    /// <summary>Completes when it has read each partition up to there.</summary>
    public async Task ReachesAsync(IReadOnlyList<long> ends)
    {
        long since = Stopwatch.GetTimestamp();
        Task alone = _process.EndsAloneAsync();
        while (true)
        {
            if (alone.IsCompleted) await alone;
            lock (_lock)
            {
                if (_next.Zip(ends).All(static p => p.First >= p.Second)) return;
                if (Stopwatch.GetElapsedTime(since) > Patience)
                    throw new TimeoutException($"{_name} has read to {string.Join(',', _next)} of {string.Join(',', ends)} after {Patience.TotalSeconds} s: {_process.Complaints}");
            }
            await Task.Delay(20);
        }
    }

    public Task StopAsync() => _process.StopAsync();

    public ValueTask DisposeAsync() => _process.DisposeAsync();

    private void Said(JsonElement what)
    {
        switch (what.GetProperty("name").GetString())
        {
            case "record_data": Read(what.GetProperty("partition").GetInt32(), what.GetProperty("offset").GetInt64(), what); break;
            case "offsets_committed" when what.GetProperty("success").GetBoolean(): Committed(what.GetProperty("offsets")); break;
        }
    }

    private void Read(int partition, long offset, JsonElement what)
    {
        _history.Read(partition, offset, _records.Parse(what.GetProperty("key").GetString(), what.GetProperty("value").GetString()), _name);
        lock (_lock)
        {
            long next = _next[partition];
            if (offset > next) _history.Violated($"partition {partition}: {_name} read offset {offset} where {next} should follow");
            if (offset < next && !_inGroup) _history.Violated($"partition {partition}: {_name} read offset {offset} again, after {next - 1}");
            if (offset < _committed[partition]) _history.Violated($"partition {partition}: {_name} read offset {offset} again, though it had committed {_committed[partition]}");
            _next[partition] = Math.Max(next, offset + 1);
        }
    }

    private void Committed(JsonElement offsets)
    {
        lock (_lock)
        {
            foreach (JsonElement one in offsets.EnumerateArray()) _committed[one.GetProperty("partition").GetInt32()] = one.GetProperty("offset").GetInt64();
        }
    }
}
