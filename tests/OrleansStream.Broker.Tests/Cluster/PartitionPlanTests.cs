using OrleansStream.Broker.Cluster;
using OrleansStream.Storage;

namespace OrleansStream.Broker.Tests.Cluster;

public sealed class PartitionPlanTests
{
    private readonly Dictionary<PartitionId, int> _leaders = [];
    private int _topics;

    private Guid Topic(int partitions, int leader = -1)
    {
        var id = new Guid(++_topics, 0, 0, new byte[8]);
        for (var i = 0; i < partitions; i++)
            _leaders[new PartitionId(id, i)] = leader;
        return id;
    }

    private static PlanBroker[] Brokers(int count) => [.. Enumerable.Range(1, count).Select(i => new PlanBroker(i))];

    /// <summary>Carries out a plan.</summary>
    private PartitionPlan Apply(IEnumerable<PlanBroker> brokers, int moves)
    {
        var plan = PartitionPlan.Make(brokers, _leaders, moves);
        Assert.True(plan.Moves.Count <= moves);
        foreach (var (partition, to) in plan.Placements)
            _leaders[partition] = to;
        foreach (var (partition, from, to) in plan.Moves)
        {
            Assert.Equal(from, _leaders[partition]);
            _leaders[partition] = to;
        }
        return plan;
    }

    private int[] Counts(IEnumerable<PlanBroker> brokers) => [.. brokers.Select(b => _leaders.Values.Count(l => l == b.NodeId))];

    private int[] Counts(IEnumerable<PlanBroker> brokers, Guid topic) =>
        [.. brokers.Select(b => _leaders.Count(l => l.Key.TopicId == topic && l.Value == b.NodeId))];

    [Fact]
    public void New_partitions_are_placed_at_once_and_evenly()
    {
        Topic(7);
        Topic(4);
        var brokers = Brokers(3);
        var plan = Apply(brokers, 0);
        Assert.Equal(11, plan.Placements.Count);
        Assert.Equal([4, 4, 3], Counts(brokers));
    }

    [Fact]
    public void A_topic_is_spread_over_racks_first_and_then_over_brokers()
    {
        PlanBroker[] brokers = [new(1, "a"), new(2, "a"), new(3, "b"), new(4, "b"), new(5, "c"), new(6, "c")];
        var three = Topic(3);
        Apply(brokers, 0);
        Assert.Equal([1, 1, 1], Racks(three));
        var six = Topic(6);
        Apply(brokers, 0);
        Assert.Equal([2, 2, 2], Racks(six));
        Assert.Equal([2, 2, 2, 1, 1, 1], Counts(brokers).OrderDescending());

        int[] Racks(Guid topic) => [.. Counts(brokers, topic).Chunk(2).Select(r => r.Sum())];
    }

    [Fact]
    public void Nothing_moves_while_the_counts_are_even()
    {
        PlanBroker[] brokers = [new(1, "a"), new(2, "b")];
        // All of one topic in one rack: not as it would be placed, but no reason to disturb its clients.
        Topic(4, 1);
        Topic(4, 2);
        var plan = Apply(brokers, 100);
        Assert.Empty(plan.Placements);
        Assert.Empty(plan.Moves);
        Topic(1, 2);
        Assert.Empty(Apply(brokers, 100).Moves);
    }

    [Fact]
    public void The_partitions_of_a_dead_broker_go_at_once_and_nothing_else_moves()
    {
        var brokers = Brokers(4);
        Topic(40);
        Apply(brokers, 0);
        var before = new Dictionary<PartitionId, int>(_leaders);
        var alive = brokers[..3];
        var plan = Apply(alive, 100);
        Assert.Equal(10, plan.Placements.Count);
        Assert.All(plan.Placements, p => Assert.Equal(4, before[p.Partition]));
        Assert.Empty(plan.Moves);
        Assert.Equal([14, 13, 13], Counts(alive).OrderDescending());
    }

    [Fact]
    public void A_broker_that_joins_gets_its_share_a_few_at_a_time_and_no_more_moves_than_that()
    {
        Topic(30);
        Apply(Brokers(2), 0);
        var brokers = Brokers(3);
        var moved = new HashSet<PartitionId>();
        for (var round = 1; round <= 5; round++)
        {
            var plan = Apply(brokers, 2);
            Assert.Equal(2, plan.Moves.Count);
            Assert.All(plan.Moves, m => Assert.Equal(3, m.To));
            Assert.All(plan.Moves, m => Assert.True(moved.Add(m.Partition)));
            Assert.Equal(2 * round, Counts(brokers)[2]);
        }
        Assert.Empty(Apply(brokers, 2).Moves);
        Assert.Equal([10, 10, 10], Counts(brokers));
    }

    [Fact]
    public void What_moves_is_what_makes_the_spread_of_its_topic_best()
    {
        PlanBroker[] brokers = [new(1, "a"), new(2, "b")];
        Topic(1, 1);
        var crowded = Topic(3, 1);
        Topic(2, 2);
        var move = Assert.Single(Apply(brokers, 1).Moves);
        Assert.Equal(crowded, move.Partition.TopicId);
    }

    [Fact]
    public void A_broker_that_is_leaving_gives_everything_away_by_plan_and_gets_nothing()
    {
        Topic(12);
        Apply(Brokers(3), 0);
        PlanBroker[] brokers = [new(1), new(2, null, Leaving: true), new(3)];
        Topic(2);
        for (var round = 0; round < 4; round++)
            Assert.All(Apply(brokers, 1).Moves, m => Assert.Equal(2, m.From));
        Assert.Equal([7, 0, 7], Counts(brokers));
        Assert.Empty(Apply(brokers, 9).Moves);
    }

    [Fact]
    public void Where_all_are_leaving_somebody_still_leads_and_where_nobody_lives_nobody_does()
    {
        Topic(4);
        Assert.Empty(Apply([], 5).Placements);
        PlanBroker[] leaving = [new(1, null, Leaving: true), new(2, null, Leaving: true)];
        Apply(leaving, 5);
        Assert.Equal([2, 2], Counts(leaving));
        // But nothing moves from one to the other for its own sake.
        Topic(6, 1);
        Assert.Empty(Apply(leaving, 5).Moves);
    }

    [Fact]
    public void Whatever_happens_brokers_end_up_even_with_the_fewest_moves()
    {
        for (var seed = 0; seed < 300; seed++)
        {
            var random = new Random(seed);
            _leaders.Clear();
            List<PlanBroker> brokers = [];
            var next = 1;
            for (var change = 0; change < 12; change++)
            {
                switch (random.Next(5))
                {
                    case 0 or 1:
                        brokers.Add(new PlanBroker(next++, random.Next(3) switch { 0 => null, 1 => "a", _ => "b" }));
                        break;
                    case 2 when brokers.Count > 1:
                        brokers.RemoveAt(random.Next(brokers.Count));
                        break;
                    case 3 when brokers.Count > 1:
                        brokers[0] = brokers[0] with { Leaving = !brokers[0].Leaving };
                        break;
                    default:
                        Topic(random.Next(1, 20), random.Next(next + 1));
                        break;
                }
                if (brokers.Any(b => !b.Leaving))
                    Settle(brokers, random.Next(1, 6), $"seed {seed}, change {change}");
            }
        }
    }

    private void Settle(List<PlanBroker> brokers, int atATime, string when)
    {
        var alive = brokers.Select(b => b.NodeId).ToHashSet();
        var orphans = _leaders.Where(l => !alive.Contains(l.Value)).Select(l => l.Key).ToHashSet();
        var plan = Apply(brokers, 0);
        Assert.True(orphans.SetEquals(plan.Placements.Select(p => p.Partition)), when);
        var takers = brokers.Where(b => !b.Leaving).ToList();
        var counts = Counts(takers).OrderDescending().ToArray();
        // The fewest moves: the fullest keep the larger shares.
        var expected = counts.Select((c, i) => Math.Max(0, c - Share(i))).Sum() + _leaders.Count - counts.Sum();
        var moved = new HashSet<PartitionId>();
        while (Apply(brokers, atATime) is { Moves.Count: > 0 } round)
        {
            Assert.Empty(round.Placements);
            Assert.All(round.Moves, m => Assert.True(moved.Add(m.Partition), $"{when}: {m} moves twice"));
        }
        Assert.True(moved.Count == expected, $"{when}: {moved.Count} moves where {expected} are enough");
        var after = Counts(takers);
        Assert.True(after.Max() - after.Min() <= 1 && after.Sum() == _leaders.Count, $"{when}: {string.Join(' ', after)}");

        int Share(int i) => _leaders.Count / takers.Count + (i < _leaders.Count % takers.Count ? 1 : 0);
    }

    [Fact]
    public void The_plan_does_not_depend_on_the_order_of_its_input()
    {
        var brokers = Brokers(5);
        Topic(17, 1);
        Topic(9);
        var plan = PartitionPlan.Make(brokers, _leaders, 8);
        var again = PartitionPlan.Make(brokers.Reverse(), _leaders.Reverse().ToDictionary(), 8);
        Assert.Equal(plan.Placements, again.Placements);
        Assert.Equal(plan.Moves, again.Moves);
    }
}
