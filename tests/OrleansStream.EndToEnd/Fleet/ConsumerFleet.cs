using System.Collections.Concurrent;
using System.Diagnostics;

namespace OrleansStream.EndToEnd.Fleet;

/// <summary>
/// A group of consumers in processes of their own, that join, leave, are killed and are paused at random. Its sessions last four seconds, and half of the pauses
/// longer, so that the group goes on without a member that comes back.
/// </summary>
internal sealed class ConsumerFleet(string python, string bootstrap, string topic, string protocol, int seed) : IAsyncDisposable
{
    private const int MostMembers = 6, LeastAtTheEnd = 3;
    private const double HeartbeatSeconds = 0.5;
    private static readonly TimeSpan Session = TimeSpan.FromSeconds(4);
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(120);

    private readonly ConcurrentDictionary<(int Partition, long Offset), int> _processed = new();
    private readonly List<Member> _members = [];
    private readonly List<Member> _gone = [];
    private readonly List<(Member Member, TimeSpan Until)> _paused = [];
    private readonly Random _random = new(seed);
    private int _joined, _left, _killed, _pausedInAll, _pausedLong;

    /// <summary>What the brokers of a fleet are set to, so that much happens in little time.</summary>
    public static IReadOnlyDictionary<string, string> BrokerSettings { get; } = new Dictionary<string, string>
    {
        ["group.initial.rebalance.delay.ms"] = "0",
        ["group.min.session.timeout.ms"] = "3000",
        ["group.consumer.min.session.timeout.ms"] = "3000",
        ["group.consumer.session.timeout.ms"] = "4000",
        ["group.consumer.min.heartbeat.interval.ms"] = "500",
        ["group.consumer.heartbeat.interval.ms"] = "500",
        // A second by default, a fifth of the heartbeat interval, which here is ten times shorter.
        ["group.consumer.assignment.interval.ms"] = "100",
    };

    public string Protocol => protocol;
    public string Group => $"{protocol}-fleet";
    public int Processings => _processed.Values.Sum();

    /// <summary>How often which error met a commit, of all members that there ever were.</summary>
    public IReadOnlyDictionary<string, int> Refused =>
        _members.Concat(_gone).SelectMany(m => m.Refused).GroupBy(r => r).ToDictionary(r => r.Key, r => r.Count());

    /// <summary>Something happens every second or so; at the end three members or more live, and nobody is paused.</summary>
    public async Task UnrestAsync(TimeSpan length)
    {
        var clock = Stopwatch.StartNew();
        Start();
        Start();
        while (clock.Elapsed < length)
        {
            await Task.Delay(_random.Next(300, 1500));
            foreach (var (member, _) in _paused.Where(p => p.Until <= clock.Elapsed)) member.Resume();
            _paused.RemoveAll(p => p.Until <= clock.Elapsed);
            var free = _members.Where(m => !m.IsPaused).ToList();
            var chosen = free.Count > 0 ? free[_random.Next(free.Count)] : null;
            switch (_random.Next(6))
            {
                case 0 when chosen is not null && _members.Count > 1:
                    await chosen.LeaveAsync();
                    await GoneAsync(chosen);
                    _left++;
                    break;
                case 1 when chosen is not null && _members.Count > 1:
                    await chosen.KillAsync();
                    await GoneAsync(chosen);
                    _killed++;
                    break;
                case 2 or 3 when chosen is not null:
                    var pause = TimeSpan.FromMilliseconds(_random.Next(500, 8000));
                    chosen.Pause();
                    _paused.Add((chosen, clock.Elapsed + pause));
                    _pausedInAll++;
                    if (pause > Session) _pausedLong++;
                    break;
                default:
                    if (_members.Count < MostMembers) Start();
                    break;
            }
            await NobodyEndedAsync();
        }
        foreach (var (member, _) in _paused) member.Resume();
        _paused.Clear();
        while (_members.Count < LeastAtTheEnd) Start();
        Assert.True(_joined > LeastAtTheEnd && _killed + _pausedInAll + _left > 0, "nothing happened: the test tested nothing");
    }

    /// <summary>
    /// Completes when everybody who lives has their share; answers what happened, and how long it took since the coordinator knew who lives: since the last look that
    /// showed another number of members.
    /// </summary>
    public async Task<string> SettledAsync(Func<Task<GroupDescription>> look, int partitions)
    {
        var clock = Stopwatch.StartNew();
        var known = TimeSpan.Zero;
        while (true)
        {
            var group = await look();
            if (group.Members.Count != _members.Count) known = clock.Elapsed;
            else if (group.State == "Stable" && group.IsBalanced(partitions))
            {
                var since = clock.Elapsed - known;
                return $"{protocol}: {_joined} joined, {_left} left, {_killed} killed, {_pausedInAll} paused, {_pausedLong} of them for longer than a session; commits refused: " +
                    $"{(Refused.Count == 0 ? "none" : string.Join(", ", Refused.Select(r => $"{r.Value} {r.Key}")))}; settled {clock.Elapsed.TotalSeconds:0.0} s after the last change, " +
                    $"{since.TotalSeconds:0.00} s or {since.TotalSeconds / HeartbeatSeconds:0.0} heartbeat intervals after the coordinator knew its {_members.Count} members";
            }
            await NobodyEndedAsync();
            if (clock.Elapsed > Patience) Assert.Fail($"{_members.Count} members live, and the group is {group}\n{await SaidAsync()}");
            await Task.Delay(20);
        }
    }

    private async Task NobodyEndedAsync()
    {
        foreach (var dead in _members.Where(m => m.HasEnded).ToList()) Assert.Fail("a member ended by itself: " + await dead.ComplaintsAsync());
    }

    /// <summary>
    /// Completes when every record was processed by somebody. A fleet that was disturbed is behind its producers, by minutes of work: what is not allowed is that it
    /// gets no further.
    /// </summary>
    /// <param name="ends">Where each partition ends.</param>
    /// <param name="fetched">What the leader of a partition answers a Fetch at an offset; asked of records that nobody processed.</param>
    public async Task AllProcessedAsync(IReadOnlyList<long> ends, Func<int, long, Task<string>> fetched)
    {
        var missing = Enumerable.Range(0, ends.Count).SelectMany(p => Enumerable.Range(0, (int)ends[p]).Select(o => (Partition: p, Offset: (long)o))).ToList();
        var progress = Stopwatch.StartNew();
        while (missing.Count > 0)
        {
            if (missing.RemoveAll(_processed.ContainsKey) > 0) progress.Restart();
            else if (progress.Elapsed > Patience) Assert.Fail(await UnprocessedAsync(missing, ends, fetched));
            await Task.Delay(100);
        }
    }

    /// <summary>Which records are missing, and what the members said: whether a tail was never read or a commit went ahead of its records.</summary>
    private async Task<string> UnprocessedAsync(IReadOnlyList<(int Partition, long Offset)> missing, IReadOnlyList<long> ends, Func<int, long, Task<string>> fetched)
    {
        List<string> said = [$"{protocol}: {missing.Count} records were processed by nobody"];
        foreach (var partition in missing.GroupBy(static m => m.Partition))
        {
            var first = partition.First().Offset;
            said.Add($"partition {partition.Key}: {partition.Count()} records, offsets {first} to {partition.Last().Offset}, and ends at {ends[partition.Key]}; a fetch at {first}: {await fetched(partition.Key, first)}");
        }
        return string.Join('\n', [.. said, await SaidAsync()]);
    }

    /// <summary>What the members said, who end for it.</summary>
    private async Task<string> SaidAsync()
    {
        List<string> said = [];
        foreach (var member in _members)
        {
            await member.KillAsync();
            said.Add($"member {member.ProcessId}, whose partitions changed last by {member.LastChange ?? "nothing"}: {await member.ComplaintsAsync()}");
        }
        return string.Join('\n', said);
    }

    /// <summary>Of dozens that slept through their session with records in hand, some must have been told that the group had gone on; a short run may have none.</summary>
    public void CheckRefused() =>
        Assert.True(_pausedLong < 20 || Refused.Count > 0, $"{_pausedLong} pauses were longer than a session, and no commit was refused: nobody was fenced");

    public async Task LeaveAsync()
    {
        foreach (var member in _members) await member.LeaveAsync();
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var member in _members) await member.DisposeAsync();
    }

    private void Start()
    {
        _members.Add(new Member(python, bootstrap, topic, Group, protocol, (p, o) => _processed.AddOrUpdate((p, o), 1, (_, n) => n + 1), workSeconds: 0.05));
        _joined++;
    }

    private async Task GoneAsync(Member member)
    {
        _members.Remove(member);
        _gone.Add(member);
        await member.DisposeAsync();
    }
}
