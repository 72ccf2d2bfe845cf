using System.Collections.Concurrent;
using OrleansStream.Broker.Cluster;
using OrleansStream.Broker.Topics;
using OrleansStream.Storage;
using OrleansStream.TestSupport;

namespace OrleansStream.Broker.Tests.Cluster;

/// <summary>The controller with brokers that do at once what they are told, a store in memory and a clock that stands still.</summary>
public sealed class ClusterControllerTests
{
    private static readonly TimeSpan Soon = TimeSpan.FromSeconds(20);

    private readonly TestPorts _ports = new();
    private readonly MemoryObjectStore _store = new();
    private readonly List<TopicPicture> _topics = [];

    [Fact]
    public async Task Partitions_are_spread_over_the_brokers_that_live()
    {
        Topic("orders", 9);
        using var cluster = await StartAsync();
        cluster.Living(1, 2, 3);
        await cluster.EventuallyAsync(() => cluster.Served() == 9);
        Assert.Equal([3, 3, 3], cluster.Counts(1, 2, 3));
    }

    [Fact]
    public async Task A_dead_brokers_partitions_go_to_the_others_and_the_rest_stay()
    {
        Topic("orders", 9);
        using var cluster = await StartAsync();
        cluster.Living(1, 2, 3);
        await cluster.EventuallyAsync(() => cluster.Served() == 9);
        var before = cluster.Leaders();
        cluster.Living(1, 3);
        await cluster.EventuallyAsync(() => cluster.Served() == 9 && cluster.Counts(2)[0] == 0);
        foreach (var (partition, leader) in before.Where(static p => p.Value != 2))
            Assert.Equal(leader, cluster.Leaders()[partition]);
        Assert.All(cluster.Commands, static c => Assert.StartsWith("lead", c));
    }

    [Fact]
    public async Task A_joining_broker_gets_its_share_by_planned_moves()
    {
        Topic("orders", 9);
        using var cluster = await StartAsync();
        cluster.Living(1, 2);
        await cluster.EventuallyAsync(() => cluster.Served() == 9);
        cluster.Commands.Clear();
        cluster.Living(1, 2, 3);
        await cluster.EventuallyAsync(() => cluster.Served() == 9 && cluster.Counts(3)[0] == 3);
        Assert.Equal(3, cluster.Commands.Count(static c => c.StartsWith("prepare", StringComparison.Ordinal)));
        Assert.Equal(3, cluster.Commands.Count(static c => c.StartsWith("release", StringComparison.Ordinal)));
    }

    [Fact]
    public async Task The_version_that_comes_with_a_command_to_lead_is_of_news_that_name_the_broker()
    {
        Topic("orders", 6);
        using var cluster = await StartAsync();
        cluster.Living(1, 2);
        await cluster.EventuallyAsync(() => cluster.Served() == 6);
        // By planned moves, too.
        cluster.Living(1, 2, 3);
        await cluster.EventuallyAsync(() => cluster.Served() == 6 && cluster.Counts(3)[0] == 2);
        Assert.True(cluster.Told.Count >= 8);
        Assert.All(cluster.Told, static told => Assert.Equal(told.NodeId, told.LeaderByThen));
    }

    [Fact]
    public async Task The_old_leader_releases_once_all_brokers_know_the_new_one_or_have_been_silent_for_too_long()
    {
        Topic("orders", 2);
        using var cluster = await StartAsync();
        cluster.Living(1);
        await cluster.EventuallyAsync(() => cluster.Served() == 2);
        cluster.Controller.Knows(1, 0);
        cluster.Living(1, 2);
        await cluster.EventuallyAsync(() => cluster.Commands.Any(static c => c.StartsWith("prepare", StringComparison.Ordinal)) && cluster.Leaders().ContainsValue(2));
        Assert.DoesNotContain(cluster.Commands, static c => c.StartsWith("release", StringComparison.Ordinal));
        cluster.Controller.Knows(1, long.MaxValue);
        while (!cluster.Commands.Any(static c => c.StartsWith("release", StringComparison.Ordinal)))
            await Task.Delay(1).WaitAsync(Soon);

        cluster.Controller.Knows(1, 0);
        Topic("more", 4);
        cluster.Controller.TopicsChanged(["more"]);
        await cluster.EventuallyAsync(() => cluster.Served() == 6);
        var leaving = cluster.Controller.LeaveAsync(2, CancellationToken.None);
        await cluster.EventuallyAsync(() => leaving.IsCompleted);
        Assert.Equal([6, 0], cluster.Counts(1, 2));
    }

    [Fact]
    public async Task A_broker_that_leaves_hands_everything_over_first()
    {
        Topic("orders", 6);
        using var cluster = await StartAsync();
        cluster.Living(1, 2);
        await cluster.EventuallyAsync(() => cluster.Served() == 6);
        await cluster.Controller.LeaveAsync(2, CancellationToken.None).WaitAsync(Soon);
        Assert.Equal([6, 0], cluster.Counts(1, 2));
    }

    [Fact]
    public async Task The_next_controller_hears_who_is_leaving_and_gives_it_nothing()
    {
        Topic("orders", 6);
        using var cluster = await StartAsync();
        var leaving = cluster.Member(2) with { IsLeaving = true };
        cluster.Controller.Living(new HashSet<string> { "silo 1", "silo 2" });
        Assert.Null(cluster.Controller.Report(leaving, []));
        cluster.Living(1, 2);
        await cluster.EventuallyAsync(() => cluster.Served() == 6);
        Assert.Equal([6, 0], cluster.Counts(1, 2));
        // The next process of that broker stays.
        cluster.Controller.Living(new HashSet<string> { "silo 1", "silo 2 again" });
        Assert.Null(cluster.Controller.Report(leaving with { Address = "silo 2 again", IsLeaving = false }, []));
        await cluster.EventuallyAsync(() => cluster.Counts(2)[0] == 3);
    }

    [Fact]
    public async Task The_next_controller_leaves_partitions_where_they_are_and_the_earlier_one_ends()
    {
        Topic("orders", 8);
        using var first = await StartAsync();
        first.Living(1, 2);
        await first.EventuallyAsync(() => first.Served() == 8);
        var before = first.Leaders();
        var cell = new StoredCell<StoredAssignment>(_store, _ports.Runtime, "cluster/assignment", StoredAssignment.Codec);
        while ((await cell.LoadAsync(CancellationToken.None))!.Leaders.Values.Sum(static l => l.Count(static n => n > 0)) < 8)
            _ports.Time.Advance(TimeSpan.FromMilliseconds(100));
        using var second = await StartAsync(first);
        second.Living(1, 2);
        await second.EventuallyAsync(() => second.Served() == 8);
        Assert.Equal(before, second.Leaders());
        // The first one finds out when it next writes.
        Topic("more", 1);
        first.Controller.TopicsChanged(["more"]);
        await first.Controller.Superseded.WaitAsync(Soon);
    }

    [Fact]
    public async Task Who_is_told_of_what_changed_is_not_told_again()
    {
        Topic("orders", 2);
        using var cluster = await StartAsync();
        cluster.Living(1);
        await cluster.EventuallyAsync(() => cluster.Served() == 2);
        var all = await cluster.Controller.NewsAsync(0, TimeSpan.Zero, CancellationToken.None);
        Assert.True(all.Whole);
        var added = Topic("more", 3);
        var version = cluster.Controller.TopicsChanged(["more"]);
        var news = await cluster.Controller.NewsAsync(all.Version, Soon, CancellationToken.None);
        Assert.False(news.Whole);
        Assert.True(news.Version >= version);
        Assert.Equal(["more"], news.Changed);
        Assert.Equal([added.Id], news.Topics.Select(static t => t.Key));
        _topics.RemoveAll(t => t.Name == "more");
        cluster.Controller.TopicsChanged(["more"]);
        var gone = await cluster.Controller.NewsAsync(news.Version, Soon, CancellationToken.None);
        Assert.Contains(gone.Topics, t => t.Key == added.Id && t.Value.Length == 0);
    }

    [Fact]
    public async Task A_node_id_that_is_taken_and_a_silo_that_membership_does_not_have_are_refused()
    {
        using var cluster = await StartAsync();
        cluster.Living(1);
        var other = new ClusterMember(new BrokerPicture(1, null, new Dictionary<string, AdvertisedAddress>()), "elsewhere");
        Assert.Contains("membership", cluster.Controller.Report(other, []), StringComparison.Ordinal);
        cluster.Controller.Living(new HashSet<string> { "silo 1", "elsewhere" });
        Assert.Contains("node.id 1 is taken", cluster.Controller.Report(other, []), StringComparison.Ordinal);
        // The earlier process of that id died.
        cluster.Controller.Living(new HashSet<string> { "elsewhere" });
        Assert.Null(cluster.Controller.Report(other, []));
    }

    [Fact]
    public async Task Who_serves_under_the_newest_epoch_leads_whatever_was_assigned()
    {
        Topic("orders", 1);
        using var cluster = await StartAsync();
        cluster.Living(1, 2);
        await cluster.EventuallyAsync(() => cluster.Served() == 1);
        var (partition, leader) = cluster.Leaders().Single();
        var other = 3 - leader;
        cluster.Controller.Report(cluster.Member(other), [new PartitionEvent(partition, 100, Serves: true)]);
        await cluster.EventuallyAsync(() => cluster.Leaders()[partition] == other);
        // What the earlier leader says of an earlier epoch is old news.
        cluster.Controller.Report(cluster.Member(leader), [new PartitionEvent(partition, 99, Serves: true)]);
        Assert.Equal(other, cluster.Leaders()[partition]);
    }

    [Fact]
    public async Task A_partition_that_is_still_being_opened_is_not_moved()
    {
        Topic("orders", 2);
        using var cluster = await StartAsync();
        cluster.Opens = false;
        cluster.Living(1);
        await cluster.EventuallyAsync(() => cluster.Commands.Count(static c => c.StartsWith("lead", StringComparison.Ordinal)) >= 2);
        cluster.Living(1, 2);
        var told = cluster.Commands.Count;
        // Told again, since nobody serves yet: so the controller has planned with the new broker meanwhile.
        await cluster.EventuallyAsync(() => cluster.Commands.Count >= told + 4);
        Assert.All(cluster.Commands, static c => Assert.StartsWith("lead", c));
        cluster.Opens = true;
        await cluster.EventuallyAsync(() => cluster.Served() == 2 && cluster.Counts(2)[0] == 1);
    }

    [Fact]
    public async Task What_its_old_leader_opened_at_last_does_not_take_a_moving_partition_back()
    {
        Topic("orders", 2);
        using var cluster = await StartAsync();
        cluster.Living(1);
        await cluster.EventuallyAsync(() => cluster.Served() == 2);
        cluster.Releasing = partition => cluster.ServesAnew(partition, 1);
        cluster.Living(1, 2);
        await cluster.EventuallyAsync(() => cluster.Served() == 2 && cluster.Counts(2)[0] == 1);
        Assert.Single(cluster.Commands, static c => c.StartsWith("prepare", StringComparison.Ordinal));
    }

    private TopicPicture Topic(string name, int partitions)
    {
        var topic = new TopicPicture(name, Guid.NewGuid(), false, 1, new TopicConfig(), new PartitionPicture[partitions]);
        _topics.Add(topic);
        return topic;
    }

    private async Task<Rig> StartAsync(Rig? takesOver = null)
    {
        var rig = new Rig(this, takesOver);
        rig.Controller = await ClusterController.StartAsync(
            new ControllerParts(_ports.Runtime, _store, 1, () => [.. _topics], rig), rig.Apply, CancellationToken.None);
        return rig;
    }

    /// <summary>The brokers: what is published they know, what they are told they do and report.</summary>
    private sealed class Rig(ClusterControllerTests test, Rig? takesOver) : IPartitionCommands, IDisposable
    {
        private readonly Lock _lock = new();
        private readonly Dictionary<Guid, PartitionPicture[]> _known = [];
        private readonly List<(long Version, Guid TopicId, PartitionPicture[] Leaders)> _published = [];
        private readonly Dictionary<PartitionId, (int NodeId, int Epoch)> _serving = takesOver is null ? [] : new(takesOver._serving);
        private readonly Dictionary<PartitionId, int> _epochs = takesOver is null ? [] : new(takesOver._epochs);

        public ClusterController Controller { get; set; } = null!;
        public ConcurrentQueue<string> Commands { get; } = new();

        /// <summary>False: who is told to lead does not come to it.</summary>
        public bool Opens { get; set; } = true;

        /// <summary>Who was told to lead, and who leads by the news up to the version that he was told with.</summary>
        public ConcurrentQueue<(int NodeId, int LeaderByThen)> Told { get; } = new();

        /// <summary>What happens while a partition is released.</summary>
        public Action<PartitionId>? Releasing { get; set; }

        /// <summary>A broker has opened a partition under a new leader epoch, and says so.</summary>
        public void ServesAnew(PartitionId partition, int nodeId)
        {
            int epoch;
            lock (_lock)
            {
                epoch = _epochs[partition] = _epochs.GetValueOrDefault(partition) + 1;
                _serving[partition] = (nodeId, epoch);
            }
            Controller.Report(Member(nodeId), [new PartitionEvent(partition, epoch, Serves: true)]);
        }

        public void Apply(ClusterNews news)
        {
            lock (_lock)
            {
                if (news.Whole)
                    _known.Clear();
                foreach (var (id, partitions) in news.Topics)
                {
                    _known[id] = partitions;
                    _published.Add((news.Version, id, partitions));
                }
            }
        }

        public ClusterMember Member(int nodeId) =>
            new(new BrokerPicture(nodeId, null, new Dictionary<string, AdvertisedAddress>()), $"silo {nodeId}");

        /// <summary>These brokers live and say so, with all that they serve.</summary>
        public void Living(params int[] nodeIds)
        {
            List<(int NodeId, PartitionEvent[] Events)> reports = [];
            lock (_lock)
            {
                foreach (var partition in _serving.Where(s => !nodeIds.Contains(s.Value.NodeId)).Select(static s => s.Key).ToList())
                    _serving.Remove(partition);
                foreach (var nodeId in nodeIds)
                    reports.Add((nodeId, [.. _serving.Where(s => s.Value.NodeId == nodeId).Select(static s => new PartitionEvent(s.Key, s.Value.Epoch, true))]));
            }
            Controller.Living(nodeIds.Select(static n => $"silo {n}").ToHashSet());
            foreach (var (nodeId, events) in reports)
                Assert.Null(Controller.Report(Member(nodeId), events));
        }

        public int Served()
        {
            lock (_lock)
                return _serving.Count(s => _known.TryGetValue(s.Key.TopicId, out var p) && p[s.Key.Index].LeaderId == s.Value.NodeId);
        }

        public int[] Counts(params int[] nodeIds)
        {
            lock (_lock)
                return [.. nodeIds.Select(n => _serving.Count(s => s.Value.NodeId == n))];
        }

        public SortedDictionary<PartitionId, int> Leaders()
        {
            lock (_lock)
            {
                return new(
                    _known.SelectMany(static t => t.Value.Select((p, i) => (Id: new PartitionId(t.Key, i), p.LeaderId))).ToDictionary(static p => p.Id, static p => p.LeaderId),
                    Comparer<PartitionId>.Create(static (a, b) => (a.TopicId, a.Index).CompareTo((b.TopicId, b.Index))));
            }
        }

        public async Task EventuallyAsync(Func<bool> holds)
        {
            // Real time bounds the wait only; the controller's own time moves so that it looks again.
            using var limit = new CancellationTokenSource(Soon);
            while (!holds())
            {
                await Task.Delay(2, limit.Token);
                test._ports.Time.Advance(TimeSpan.FromMilliseconds(100));
            }
        }

        public ValueTask PrepareReleaseAsync(PartitionId partition, CancellationToken cancel)
        {
            Commands.Enqueue($"prepare {partition}");
            return ValueTask.CompletedTask;
        }

        public ValueTask ReleaseAsync(PartitionId partition, CancellationToken cancel)
        {
            Commands.Enqueue($"release {partition}");
            Releasing?.Invoke(partition);
            (int NodeId, int Epoch) was;
            lock (_lock)
            {
                if (!_serving.Remove(partition, out was))
                    return ValueTask.CompletedTask;
            }
            Controller.Report(Member(was.NodeId), [new PartitionEvent(partition, was.Epoch, Serves: false)]);
            return ValueTask.CompletedTask;
        }

        public ValueTask LeadAsync(PartitionId partition, long version, CancellationToken cancel)
        {
            Commands.Enqueue($"lead {partition}");
            if (!Opens)
                return ValueTask.CompletedTask;
            int nodeId, epoch;
            lock (_lock)
            {
                nodeId = _known[partition.TopicId][partition.Index].LeaderId;
                var byThen = _published.LastOrDefault(n => n.Version <= version && n.TopicId == partition.TopicId).Leaders;
                Told.Enqueue((nodeId, byThen is null ? -1 : byThen[partition.Index].LeaderId));
                epoch = _epochs[partition] = _epochs.GetValueOrDefault(partition, -1) + 1;
                _serving[partition] = (nodeId, epoch);
            }
            Controller.Report(Member(nodeId), [new PartitionEvent(partition, epoch, Serves: true)]);
            return ValueTask.CompletedTask;
        }

        public void Dispose() => Controller.Dispose();
    }
}
