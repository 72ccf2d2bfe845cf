using System.Diagnostics;
using System.Text;
using System.Text.Json;
using OrleansStream.Cluster.EndToEnd.History;
using OrleansStream.Cluster.EndToEnd.Silos;
using OrleansStream.EndToEnd.Wire;

namespace OrleansStream.Cluster.EndToEnd.Clients;

/// <summary>
/// A Kafka client as people have it, at work on a topic of its own while the cluster is in trouble: its idempotent producer does not rest, its consumer follows,
/// and all that either is told is held against the topic, which is followed over the wire as well, for its high watermarks and epochs.
/// </summary>
internal sealed class SteadyClient : IAsyncDisposable
{
    private const int Partitions = 4;
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(120);

    private readonly SiloCluster _cluster;
    private readonly SteadyTool _tool;
    private readonly Place _place;
    private readonly SteadyRecords _records;
    private readonly TopicHistory _history;
    private readonly List<FollowingReader> _followers;
    private readonly ToolProcess _producer;
    private readonly ToolReader _reader;
    private readonly Lock _lock = new();
    private readonly List<long>[] _acknowledgedAt;
    private readonly long[] _ends = new long[Partitions];
    private readonly List<string> _failed = [];
    private readonly List<TimeSpan> _latencies = [];
    private bool _stopping;
    private int _sentWhenClosed;
    private int _sent = -1;

    private SteadyClient(SiloCluster cluster, SteadyTool tool, Place place)
    {
        (_cluster, _tool, _place) = (cluster, tool, place);
        _acknowledgedAt = [.. Enumerable.Range(0, Partitions).Select(static _ => new List<long>())];
        _records = new SteadyRecords(tool.Id, tool.BareRecords);
        _history = new TopicHistory(place.Topic, Partitions, record => _records.Parse(Text(record.Key), Text(record.Value)));
        _followers = [.. Enumerable.Range(0, Partitions).Select(p => new FollowingReader(cluster, _history, p))];
        _reader = new ToolReader(tool, place, "following", _history, _records);
        _producer = new ToolProcess($"{tool.Name} (producing)", tool.Producer(place, tool.Id), Said);
    }

    public string Name => _tool.Name;

    /// <summary>Completes when every partition has acknowledged something and the consumer has read it.</summary>
    public static async Task<SteadyClient> StartAsync(SiloCluster cluster, SteadyTool tool)
    {
        var place = new Place(cluster.Bootstrap, $"steady-{tool.Name}", Partitions);
        await cluster.CreateTopicAsync(place.Topic, Partitions);
        var client = new SteadyClient(cluster, tool, place);
        try
        {
            await client.ProceedsAsync(Stopwatch.GetTimestamp());
            return client;
        }
        catch
        {
            await client.DisposeAsync();
            throw;
        }
    }

    /// <summary>
    /// Completes when every partition has acknowledged something from now on and the consumer has read it. Answers the longest time since
    /// <paramref name="moment"/> in which a partition acknowledged nothing.
    /// </summary>
    public async Task<TimeSpan> ProceedsAsync(long moment)
    {
        int[] before;
        lock (_lock) before = [.. _acknowledgedAt.Select(static a => a.Count)];
        long since = Stopwatch.GetTimestamp();
        Task alone = _producer.EndsAloneAsync();
        while (true)
        {
            if (alone.IsCompleted) await alone;
            lock (_lock)
            {
                if (_acknowledgedAt.Zip(before).All(static p => p.First.Count > p.Second)) break;
                if (Stopwatch.GetElapsedTime(since) > Patience)
                    throw new TimeoutException($"{Name}: nothing more is acknowledged in one of {string.Join(',', before)} after {Patience.TotalSeconds} s: {string.Join(", ", _failed)} {_producer.Complaints}");
            }
            await Task.Delay(20);
        }
        long[] ends;
        lock (_lock) ends = [.. _ends];
        await _reader.ReachesAsync(ends);
        lock (_lock) return _acknowledgedAt.Max(a => LongestSilence(a, moment));
    }

    /// <summary>Ends it and checks the whole history. Answers a line for people.</summary>
    public async Task<string> CheckAsync()
    {
        lock (_lock) _stopping = true;
        await _producer.StopAsync();
        int acknowledged = _acknowledgedAt.Sum(static a => a.Count);
        Assert.True(_failed.Count == 0, $"{Name}: {_failed.Count} of {_sent} records failed: {string.Join(", ", _failed.Distinct().Take(5))}");
        Assert.True(acknowledged > 0 && _sent == acknowledged, $"{Name}: {_sent} records were sent, {acknowledged} acknowledged: {_producer.Complaints}");
        _history.Spreads(_tool.Id, _sent);
        await ReadToEndAsync(_reader);
        await using (var anew = new ToolReader(_tool, _place, "anew", _history, _records)) await ReadToEndAsync(anew);
        await StopFollowingAsync();
        ClusterView view = await _cluster.EvenAsync(_place.Topic);
        await _history.CheckAsync(p => KafkaConnection.OpenAsync(view.PortOf[view.Partitions[p].Leader]));
        string latencies = _latencies.Count == 0 ? "" : $"; acknowledged after: {_latencies.Summary()}";
        return $"{Name}: {_sent} records acknowledged, and read as they came and once more by it, none failed, lost, twice or out of order{latencies}";
    }

    public async ValueTask DisposeAsync()
    {
        await _producer.DisposeAsync();
        await _reader.DisposeAsync();
        await StopFollowingAsync();
    }

    private async Task StopFollowingAsync()
    {
        await Task.WhenAll(_followers.Select(static f => f.StopAsync()));
        _followers.Clear();
    }

    private async Task ReadToEndAsync(ToolReader reader)
    {
        await reader.ReachesAsync(_ends);
        await reader.StopAsync();
    }

    private void Said(JsonElement what)
    {
        lock (_lock)
        {
            switch (what.GetProperty("name").GetString())
            {
                case "producer_send_success": Acknowledged(what); break;
                // kafka-verifiable-producer closes its producer under the thread that sends.
                case "producer_send_error" when _stopping && what.TryGetProperty("exception", out JsonElement e) && e.GetString() == "class java.lang.IllegalStateException":
                    _sentWhenClosed++;
                    break;
                case "producer_send_error": _failed.Add(what.GetProperty("message").GetString() ?? "for no reason"); break;
                case "tool_data": _sent = what.GetProperty("sent").GetInt32() - _sentWhenClosed; break;
            }
        }
    }

    private void Acknowledged(JsonElement what)
    {
        int partition = what.GetProperty("partition").GetInt32();
        long offset = what.GetProperty("offset").GetInt64();
        Payload record = _records.Parse(what.GetProperty("key").GetString(), what.GetProperty("value").GetString()) ?? throw new InvalidDataException($"{Name} was acknowledged what it did not send: {what}");
        _acknowledgedAt[partition].Add(Stopwatch.GetTimestamp());
        if (what.TryGetProperty("latency_ms", out JsonElement latency)) _latencies.Add(TimeSpan.FromMilliseconds(latency.GetDouble()));
        if (offset < 0)
        {
            _history.AcknowledgedSomewhere(partition, record);
            return;
        }
        _history.Acknowledged(partition, offset, [record]);
        _ends[partition] = Math.Max(_ends[partition], offset + 1);
    }

    private static TimeSpan LongestSilence(List<long> at, long moment)
    {
        List<long> since = [moment, .. at.Where(t => t > moment)];
        return since.Zip(since.Skip(1), static (a, b) => Stopwatch.GetElapsedTime(a, b)).DefaultIfEmpty().Max();
    }

    private static string? Text(ReadOnlyMemory<byte>? bytes) => bytes is { } there ? Encoding.UTF8.GetString(there.Span) : null;
}
