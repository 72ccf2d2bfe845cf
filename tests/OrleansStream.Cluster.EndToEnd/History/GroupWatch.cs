using System.Diagnostics;
using System.Net.Sockets;
using OrleansStream.Cluster.EndToEnd.Silos;
using OrleansStream.EndToEnd.Fleet;
using OrleansStream.EndToEnd.Wire;

namespace OrleansStream.Cluster.EndToEnd.History;

/// <summary>
/// Asks whoever coordinates a group, again and again: no description may show a partition with two owners, and no committed offset may go back or be lost, however
/// often the coordinator is another. When it answered is kept, for what is printed.
/// </summary>
internal sealed class GroupWatch : IAsyncDisposable
{
    private readonly SiloCluster _cluster;
    private readonly string _group;
    private readonly string _protocol;
    private readonly CancellationTokenSource _stop = new();
    private readonly Lock _lock = new();
    private readonly Dictionary<(string Topic, int Partition), long> _committed = [];
    private readonly List<string> _violations = [];
    private readonly List<(int Coordinator, long At)> _answers = [];
    private readonly Task _watching;

    /// <param name="protocol">The group's type: how it is described.</param>
    public GroupWatch(SiloCluster cluster, string group, string protocol)
    {
        (_cluster, _group, _protocol) = (cluster, group, protocol);
        _watching = WatchAsync();
    }

    /// <summary>How often the group was looked at.</summary>
    public int Looks { get { lock (_lock) return _answers.Count; } }

    /// <summary>How many brokers have coordinated it.</summary>
    public int Coordinators { get { lock (_lock) return _answers.Select(static a => a.Coordinator).Distinct().Count(); } }

    public GroupDescription Last { get; private set; } = new("never seen", new Dictionary<string, IReadOnlyList<int>>());

    /// <summary>Which broker coordinated it at last, and which offsets the group has there.</summary>
    public (int Coordinator, IReadOnlyDictionary<(string Topic, int Partition), long> Committed) Now
    {
        get { lock (_lock) return (_answers[^1].Coordinator, new Dictionary<(string, int), long>(_committed)); }
    }

    /// <summary>The time from a moment to the first answer that came after it from a broker other than <paramref name="before"/>; waits for that.</summary>
    public async Task<TimeSpan> ServedElsewhereAsync(int before, long moment, TimeSpan patience)
    {
        using var limit = new CancellationTokenSource(patience);
        while (true)
        {
            lock (_lock)
            {
                int first = _answers.FindIndex(a => a.Coordinator != before && a.At > moment);
                if (first >= 0) return Stopwatch.GetElapsedTime(moment, _answers[first].At);
            }
            await Task.Delay(10, limit.Token);
        }
    }

    /// <summary>The longest time since a moment in which nobody answered for the group.</summary>
    public TimeSpan LongestSilence(long moment)
    {
        lock (_lock)
        {
            List<long> since = [moment, .. _answers.Select(static a => a.At).Where(at => at > moment)];
            return since.Zip(since.Skip(1), static (a, b) => Stopwatch.GetElapsedTime(a, b)).DefaultIfEmpty().Max();
        }
    }

    /// <summary>Ends it; fails where something was seen that must not be.</summary>
    public async Task CheckAsync()
    {
        await _stop.CancelAsync();
        await _watching;
        lock (_lock) Assert.True(_violations.Count == 0, string.Join('\n', _violations));
    }

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await _watching;
        _stop.Dispose();
    }

    private async Task WatchAsync()
    {
        while (!_stop.IsCancellationRequested)
        {
            try
            {
                SiloProcess coordinator = await _cluster.CoordinatorAsync(_group, _stop.Token);
                await using KafkaConnection connection = await KafkaConnection.OpenAsync(coordinator.Port);
                connection.Patience = TimeSpan.FromSeconds(5);
                while (!_stop.IsCancellationRequested && await LookAsync(connection, coordinator.NodeId)) await Task.Delay(15);
            }
            catch (Exception e) when (e is SocketException or IOException or TimeoutException || (e is OperationCanceledException && _stop.IsCancellationRequested))
            {
                // It died, or is about to: another will be found.
            }
        }
    }

    /// <summary>One look; false where this broker does not coordinate the group, or not yet.</summary>
    private async Task<bool> LookAsync(KafkaConnection connection, int broker)
    {
        // Offsets that were seen earlier are in every later answer: both are taken in the order in which they were asked for.
        (short error, Dictionary<(string, int), long> offsets) = await connection.FetchOffsetsAsync(_group);
        if (error != 0) return false;
        long at = Stopwatch.GetTimestamp();
        GroupDescription described = await GroupDescription.OfAsync(connection, _group, _protocol);
        lock (_lock)
        {
            _answers.Add((broker, at));
            foreach (((string Topic, int Partition) key, long offset) in _committed)
            {
                if (!offsets.TryGetValue(key, out long now)) Violated($"broker {broker} has lost {_group}'s offset {offset} of {key}");
                else if (now < offset) Violated($"{_group}'s offset of {key} went back from {offset} to {now} at broker {broker}");
            }
            foreach (((string Topic, int Partition) key, long offset) in offsets) _committed[key] = offset;
            if (described.OwnedTwice.Any()) Violated($"partitions {string.Join(',', described.OwnedTwice)} have two owners: {described}");
        }
        if (!described.State.StartsWith("error", StringComparison.Ordinal)) Last = described;
        return true;
    }

    private void Violated(string what)
    {
        if (_violations.Count < 20) _violations.Add(what);
    }
}
