using System.Collections.Concurrent;
using System.Diagnostics;
using OrleansStream.EndToEnd.Brokers;
using OrleansStream.EndToEnd.Clients;
using OrleansStream.EndToEnd.Wire;
using Xunit.Abstractions;

namespace OrleansStream.EndToEnd.Fleet;

/// <summary>
/// A fleet of consumers whose members join, leave, are killed and are paused at random while a topic is written: every record is processed at least once, the
/// coordinator never gives a partition to two members at the same time, and after the last change everybody who lives has their share.
/// </summary>
public sealed class FleetTests(ITestOutputHelper output)
{
    private const int Partitions = 12, MostMembers = 6;
    private const string Topic = "fleet", Group = "the-fleet";
    private static readonly TimeSpan Unrest = Repository.Full ? TimeSpan.FromMinutes(10) : TimeSpan.FromSeconds(12);
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(120);

    private readonly ConcurrentDictionary<(int Partition, long Offset), int> _processed = new();
    private readonly List<Member> _members = [];
    private readonly List<(Member Member, TimeSpan Until)> _paused = [];
    private int _joined, _left, _killed, _pausedInAll;

    [SkippableTheory]
    [InlineData("classic")]
    [InlineData("consumer")]
    public async Task Every_record_is_processed_and_no_partition_has_two_owners(string protocol)
    {
        var client = KafkaClient.Named("confluent-kafka 2.16");
        client.Needed();
        var seed = Environment.TickCount;
        output.WriteLine($"seed {seed}");
        var random = new Random(seed);
        var folder = Directory.CreateTempSubdirectory("ostream-fleet-");
        try
        {
            await using var broker = await BrokerProcess.StartAsync(folder.FullName, null, new Dictionary<string, string>
            {
                ["group.initial.rebalance.delay.ms"] = "0",
                ["group.min.session.timeout.ms"] = "3000",
                ["group.consumer.min.session.timeout.ms"] = "3000",
                ["group.consumer.session.timeout.ms"] = "4000",
                ["group.consumer.min.heartbeat.interval.ms"] = "500",
                ["group.consumer.heartbeat.interval.ms"] = "500",
            });
            await using (var connection = await broker.ConnectAsync()) await connection.CreateTopicAsync(Topic, Partitions);
            using var stopWriting = new CancellationTokenSource();
            using var stopWatching = new CancellationTokenSource();
            var writing = WriteAsync(broker, stopWriting.Token);
            var watching = WatchAsync(broker, protocol, stopWatching.Token);
            try
            {
                await UnrestAsync(() => Start(client, broker, protocol), random);
                await stopWriting.CancelAsync();
                var ends = await writing;
                var settled = Stopwatch.StartNew();
                await using var connection = await broker.ConnectAsync();
                var last = await SettledAsync(connection, protocol);
                output.WriteLine($"{protocol}: {_joined} joined, {_left} left, {_killed} killed, {_pausedInAll} paused, {_members.Sum(m => m.Refused)} commits refused; " +
                    $"settled {settled.Elapsed.TotalSeconds:0.0} s after the last change: {last}");
                await AllProcessedAsync(ends);
                output.WriteLine($"{ends.Sum()} records, {_processed.Values.Sum()} times processed");
            }
            finally
            {
                await stopWriting.CancelAsync();
                await stopWatching.CancelAsync();
            }
            var looks = await watching;
            Assert.True(looks > 10, $"the group was looked at {looks} times only");
            Assert.True(_joined > MostMembers / 2 && _killed + _pausedInAll + _left > 0, "nothing happened: the test tested nothing");
            foreach (var member in _members) await member.LeaveAsync();
        }
        finally
        {
            foreach (var member in _members) await member.DisposeAsync();
            folder.Delete(recursive: true);
        }
    }

    private void Start(KafkaClient client, BrokerProcess broker, string protocol)
    {
        _members.Add(new Member(client.Command[0], broker.Bootstrap, Topic, Group, protocol, (p, o) => _processed.AddOrUpdate((p, o), 1, (_, n) => n + 1)));
        _joined++;
    }

    /// <summary>Something happens to the fleet every second or so; at its end three members or more live, and nobody is paused.</summary>
    private async Task UnrestAsync(Action start, Random random)
    {
        var clock = Stopwatch.StartNew();
        start();
        start();
        while (clock.Elapsed < Unrest)
        {
            await Task.Delay(random.Next(300, 1500));
            foreach (var (member, _) in _paused.Where(p => p.Until <= clock.Elapsed)) member.Resume();
            _paused.RemoveAll(p => p.Until <= clock.Elapsed);
            var free = _members.Where(m => !m.IsPaused).ToList();
            var chosen = free.Count > 0 ? free[random.Next(free.Count)] : null;
            switch (random.Next(6))
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
                    // About half of them longer than their session.
                    chosen.Pause();
                    _paused.Add((chosen, clock.Elapsed + TimeSpan.FromMilliseconds(random.Next(500, 8000))));
                    _pausedInAll++;
                    break;
                default:
                    if (_members.Count < MostMembers) start();
                    break;
            }
            foreach (var dead in _members.Where(m => m.HasEnded).ToList()) Assert.Fail("a member ended by itself: " + await dead.ComplaintsAsync());
        }
        foreach (var (member, _) in _paused) member.Resume();
        while (_members.Count < 3) start();
    }

    private async Task GoneAsync(Member member)
    {
        _members.Remove(member);
        await member.DisposeAsync();
    }

    /// <summary>Writes to all partitions until it is told to stop; answers how many records each has.</summary>
    private static async Task<long[]> WriteAsync(BrokerProcess broker, CancellationToken stop)
    {
        await using var connection = await broker.ConnectAsync();
        var ends = new long[Partitions];
        do
        {
            for (var partition = 0; partition < Partitions; partition++)
            {
                var records = Enumerable.Range(0, 5).Select(i => new WireRecord(null, BitConverter.GetBytes(ends[partition] + i), DateTimeOffset.UtcNow.ToUnixTimeMilliseconds()));
                Assert.Equal(0, (await connection.ProduceAsync(Topic, partition, RecordBatch.Build([.. records]))).Error);
                ends[partition] += 5;
            }
            await Task.Delay(50, CancellationToken.None);
        }
        while (!stop.IsCancellationRequested);
        return ends;
    }

    /// <summary>Looks at the group again and again; answers how often it did.</summary>
    private static async Task<int> WatchAsync(BrokerProcess broker, string protocol, CancellationToken stop)
    {
        await using var connection = await broker.ConnectAsync();
        var looks = 0;
        for (; !stop.IsCancellationRequested; looks++)
        {
            var group = await GroupDescription.OfAsync(connection, Group, protocol);
            Assert.True(!group.OwnedTwice.Any(), $"partitions {string.Join(",", group.OwnedTwice)} have two owners: {group}");
            await Task.Delay(20, CancellationToken.None);
        }
        return looks;
    }

    private async Task<GroupDescription> SettledAsync(KafkaConnection connection, string protocol)
    {
        var clock = Stopwatch.StartNew();
        while (true)
        {
            var group = await GroupDescription.OfAsync(connection, Group, protocol);
            if (group.State == "Stable" && group.Members.Count == _members.Count && group.IsBalanced(Partitions)) return group;
            Assert.True(clock.Elapsed < Patience, $"{_members.Count} members live, and the group is {group}");
            await Task.Delay(50);
        }
    }

    private async Task AllProcessedAsync(long[] ends)
    {
        var clock = Stopwatch.StartNew();
        while (true)
        {
            var missing = Enumerable.Range(0, Partitions).SelectMany(p => Enumerable.Range(0, (int)ends[p]).Select(o => (Partition: p, Offset: (long)o)))
                .Where(r => !_processed.ContainsKey(r)).ToList();
            if (missing.Count == 0) return;
            Assert.True(clock.Elapsed < Patience, $"{missing.Count} records were processed by nobody, the first of them {missing[0]}");
            await Task.Delay(100);
        }
    }
}
