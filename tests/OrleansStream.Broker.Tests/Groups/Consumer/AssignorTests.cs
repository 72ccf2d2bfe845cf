using OrleansStream.Broker.Groups.Consumer;
using OrleansStream.Broker.Groups.Consumer.Assignors;

namespace OrleansStream.Broker.Tests.Groups.Consumer;

/// <summary>What both assignors promise, over groups that change at random; and what each promises alone.</summary>
public sealed class AssignorTests
{
    private static readonly Guid A = Topic(1);
    private static readonly Guid B = Topic(2);
    private static readonly Guid C = Topic(3);

    private static Guid Topic(int number) => new(number, 0, 0, [0, 0, 0, 0, 0, 0, 0, 0]);

    private static AssignorMember Member(string id, PartitionSet? previous, params Guid[] topics) => new(id, null, topics.ToHashSet(), previous ?? PartitionSet.Empty);

    private static Dictionary<Guid, int> Sizes(params (Guid, int)[] sizes) => sizes.ToDictionary(s => s.Item1, s => s.Item2);

    private static string Show(IReadOnlyDictionary<string, PartitionSet> result) =>
        string.Join("; ", result.OrderBy(r => r.Key, StringComparer.Ordinal).Select(r =>
            $"{r.Key} {string.Join(" ", r.Value.Topics.OrderBy(t => t.Key).Select(t => $"{(t.Key == A ? "A" : t.Key == B ? "B" : "C")}{string.Join(",", t.Value)}"))}"));

    [Fact]
    public void Range_gives_the_same_numbers_of_topics_of_equal_size()
    {
        var task = new AssignmentTask([Member("m2", null, A, B), Member("m1", null, A, B)], Sizes((A, 5), (B, 5)));
        Assert.Equal("m1 A0,1,2 B0,1,2; m2 A3,4 B3,4", Show(new RangeAssignor().Assign(task)));
    }

    [Fact]
    public void Range_puts_static_members_first_and_leaves_out_who_does_not_subscribe()
    {
        var task = new AssignmentTask(
            [Member("a", null, A, B), Member("b", null, A), Member("z", null, A, B) with { InstanceId = "i1" }, Member("y", null, B) with { InstanceId = "i2" }],
            Sizes((A, 6), (B, 4)));
        Assert.Equal("a A2,3 B3; b A4,5; y B2; z A0,1 B0,1", Show(new RangeAssignor().Assign(task)));
    }

    [Fact]
    public void Range_leaves_members_without_where_there_are_more_members_than_partitions()
    {
        var task = new AssignmentTask([Member("a", null, A), Member("b", null, A), Member("c", null, A)], Sizes((A, 2)));
        Assert.Equal("a A0; b A1; c ", Show(new RangeAssignor().Assign(task)));
    }

    [Fact]
    public void Uniform_moves_no_partition_that_need_not_move()
    {
        var uniform = new UniformAssignor();
        var first = uniform.Assign(new AssignmentTask([Member("a", null, A, B), Member("b", null, A, B)], Sizes((A, 3), (B, 3))));
        Assert.Equal([3, 3], first.Values.Select(v => v.Count));
        var second = uniform.Assign(new AssignmentTask(
            [Member("a", first["a"], A, B), Member("b", first["b"], A, B), Member("c", null, A, B)], Sizes((A, 3), (B, 3))));
        Assert.Equal([2, 2, 2], second.Values.Select(v => v.Count));
        Assert.Equal(4, Kept(first, second));
        var same = uniform.Assign(new AssignmentTask(
            [Member("a", second["a"], A, B), Member("b", second["b"], A, B), Member("c", second["c"], A, B)], Sizes((A, 3), (B, 3))));
        Assert.All(same, member => Assert.Same(second[member.Key], member.Value));
    }

    [Fact]
    public void Uniform_balances_through_a_member_in_between()
    {
        // a can only give of A to b, and b only of B to c.
        var task = new AssignmentTask(
            [Member("a", PartitionSet.From((A, [0, 1])), A), Member("b", PartitionSet.From((B, [0])), A, B), Member("c", null, B)],
            Sizes((A, 2), (B, 1)));
        Assert.Equal([1, 1, 1], new UniformAssignor().Assign(task).Values.Select(v => v.Count));
    }

    [Fact]
    public void Nobody_gets_what_is_not_there()
    {
        foreach (var assignor in new IPartitionAssignor[] { new UniformAssignor(), new RangeAssignor() })
        {
            Assert.Empty(assignor.Assign(new AssignmentTask([], Sizes((A, 2)))));
            var gone = assignor.Assign(new AssignmentTask([Member("a", PartitionSet.From((C, [0, 7])), A)], Sizes((A, 1))));
            Assert.Equal("a A0", Show(gone));
        }
    }

    public static TheoryData<int> Seeds => [.. Enumerable.Range(1, 60)];

    [Theory]
    [MemberData(nameof(Seeds))]
    public void Groups_that_change_at_random_stay_assigned_completely_and_evenly(int seed)
    {
        var random = new Random(seed);
        IPartitionAssignor assignor = seed % 3 == 0 ? new RangeAssignor() : new UniformAssignor();
        var homogeneous = seed % 2 == 0;
        var sizes = Enumerable.Range(1, random.Next(1, 8)).ToDictionary(Topic, _ => random.Next(1, 20));
        var members = new Dictionary<string, AssignorMember>(StringComparer.Ordinal);
        var previous = new Dictionary<string, PartitionSet>(StringComparer.Ordinal);
        for (var round = 0; round < 25; round++)
        {
            for (var changes = random.Next(1, 4); changes > 0; changes--)
                Change(random, members, sizes, homogeneous);
            var shared = homogeneous ? sizes.Keys.ToHashSet() : null;
            var list = members.Values
                .Select(m => m with { Topics = shared ?? m.Topics.Where(sizes.ContainsKey).ToHashSet(), Previous = previous.GetValueOrDefault(m.Id, PartitionSet.Empty) })
                .OrderBy(_ => random.Next()).ToList();
            var task = new AssignmentTask(list, sizes.Where(s => list.Any(m => m.Topics.Contains(s.Key))).ToDictionary());
            var result = assignor.Assign(task);
            AssertComplete(task, result);
            if (assignor is UniformAssignor)
            {
                AssertBalanced(task, result);
                // Asked again, nothing moves.
                var again = assignor.Assign(new AssignmentTask([.. list.Select(m => m with { Previous = result[m.Id] })], task.Partitions));
                Assert.All(result, r => Assert.Equal(r.Value, again[r.Key]));
                if (homogeneous && list.Count > 0)
                    AssertSticky(task, result);
            }
            previous = result.ToDictionary(StringComparer.Ordinal);
        }
    }

    private static void Change(Random random, Dictionary<string, AssignorMember> members, Dictionary<Guid, int> sizes, bool homogeneous)
    {
        var pick = random.Next(10);
        if (pick < 5 || members.Count == 0)
        {
            var topics = sizes.Keys.Where(_ => homogeneous || random.Next(2) == 0).ToHashSet();
            var id = $"m{random.Next(1000)}";
            members[id] = new AssignorMember(id, random.Next(4) == 0 ? $"i-{id}" : null, topics, PartitionSet.Empty);
        }
        else if (pick < 8)
        {
            members.Remove(members.Keys.ElementAt(random.Next(members.Count)));
        }
        else if (pick == 8)
        {
            sizes[sizes.Keys.ElementAt(random.Next(sizes.Count))] += random.Next(1, 5);
        }
        else
        {
            sizes[Topic(random.Next(1, 12))] = random.Next(1, 20);
        }
    }

    private static void AssertComplete(AssignmentTask task, IReadOnlyDictionary<string, PartitionSet> result)
    {
        Assert.Equal(task.Members.Select(m => m.Id).Order(), result.Keys.Order());
        var owners = new Dictionary<(Guid, int), string>();
        foreach (var member in task.Members)
        {
            foreach (var (topic, partitions) in result[member.Id].Topics)
            {
                Assert.Contains(topic, member.Topics);
                Assert.All(partitions, p => Assert.True(owners.TryAdd((topic, p), member.Id), "two owners"));
            }
        }
        Assert.Equal(task.Partitions.Sum(p => p.Value), owners.Count);
    }

    /// <summary>Over the graph of who could give what to whom, nobody reaches a member with two fewer.</summary>
    private static void AssertBalanced(AssignmentTask task, IReadOnlyDictionary<string, PartitionSet> result)
    {
        foreach (var start in task.Members)
        {
            var reached = new HashSet<string> { start.Id };
            var queue = new Queue<AssignorMember>([start]);
            while (queue.TryDequeue(out var giver))
            {
                foreach (var taker in task.Members.Where(m => !reached.Contains(m.Id) && result[giver.Id].Topics.Keys.Any(m.Topics.Contains)))
                {
                    Assert.True(result[taker.Id].Count >= result[start.Id].Count - 1, $"{start.Id} has {result[start.Id].Count}, {taker.Id} {result[taker.Id].Count}");
                    reached.Add(taker.Id);
                    queue.Enqueue(taker);
                }
            }
        }
    }

    /// <summary>The fewest moves that balance allows: a member keeps all it had, or as much as its share.</summary>
    private static void AssertSticky(AssignmentTask task, IReadOnlyDictionary<string, PartitionSet> result)
    {
        var (quota, extra) = Math.DivRem(task.Partitions.Sum(p => p.Value), task.Members.Count);
        var had = task.Members.ToDictionary(m => m.Id, m => Valid(task, m));
        var mayKeep = had.Values.Sum(h => Math.Min(h.Count, quota)) + Math.Min(extra, had.Values.Count(h => h.Count > quota));
        Assert.Equal(mayKeep, had.Sum(h => h.Value.Count(p => result[h.Key].Contains(p.Topic, p.Partition))));
    }

    private static List<(Guid Topic, int Partition)> Valid(AssignmentTask task, AssignorMember member) =>
        [.. member.Previous.Topics.Where(t => task.Partitions.ContainsKey(t.Key))
            .SelectMany(t => t.Value.Where(p => p < task.Partitions[t.Key]).Select(p => (t.Key, p)))];

    private static int Kept(IReadOnlyDictionary<string, PartitionSet> before, IReadOnlyDictionary<string, PartitionSet> after) =>
        before.Sum(b => b.Value.Topics.Sum(t => t.Value.Count(p => after[b.Key].Contains(t.Key, p))));
}
