using OrleansStream.Simulation.Kit;

namespace OrleansStream.Simulation;

/// <summary>
/// What clients of groups were told, checked as it comes. A leader that does not know yet that it was replaced may show what was so before: so a look is held
/// against what was acknowledged and seen under its own leader epoch or an earlier one.
/// <list type="bullet">
/// <item>G1 a committed offset that was acknowledged is there</item>
/// <item>G2 a committed offset does not go back (who commits only ever commits more), and nothing is there that nobody committed</item>
/// <item>G3 within a generation, or member epoch, a partition has one owner; in the consumer protocol nobody is given what another still holds; in the classic
/// one, what members of an earlier generation commit is not taken</item>
/// </list>
/// </summary>
internal sealed class GroupHistory(SimulationScheduler world)
{
    private sealed class Commits
    {
        public readonly SortedDictionary<int, long> Acknowledged = [];
        public readonly SortedDictionary<int, long> Seen = [];
        public readonly HashSet<long> Sent = [];
    }

    /// <param name="Given">The step at which the member was given the partition: what it is given once more later is another holding.</param>
    /// <param name="From">The step of the first answer to it under one leader epoch.</param>
    private sealed record Holding(string Member, long Given, long From)
    {
        /// <summary>When it asked for the last of these answers.</summary>
        public long Until { get; set; } = From;
    }

    private readonly Dictionary<(string Group, int Partition), Commits> _commits = [];
    private readonly Dictionary<(string Group, int Epoch, int Partition), List<Holding>> _holdings = [];
    private readonly Dictionary<(string Group, int Epoch), int> _generations = [];
    private readonly Dictionary<(string Group, int Generation, int Partition), (string Member, string How)> _owners = [];
    private long _next;

    public int Acknowledgements { get; private set; }
    public int Looks { get; private set; }
    public int Ownerships => _owners.Count;
    public int Holdings => _holdings.Values.Sum(h => h.Count);

    /// <summary>How many commits of members were taken though their group had another generation before in that leader epoch: what the check of it rests on.</summary>
    public int OfGenerations { get; private set; }
    public IEnumerable<(string Group, int Partition)> Committed => _commits.Keys;

    /// <summary>The offset to commit next: larger than all before.</summary>
    public long Next(string group, int partition)
    {
        Of(group, partition).Sent.Add(++_next);
        return _next;
    }

    /// <param name="epoch">The leader epoch under which it was acknowledged, or a later one.</param>
    public void Acknowledged(string group, int partition, long offset, int epoch)
    {
        Acknowledgements++;
        Raise(Of(group, partition).Acknowledged, epoch, offset);
    }

    /// <summary>Before a look: what it has to show, at least, under this leader epoch or a later one.</summary>
    public (long Acknowledged, long Seen) Floor(string group, int partition, int epoch)
    {
        var commits = Of(group, partition);
        return (Newest(commits.Acknowledged, epoch), Newest(commits.Seen, epoch));
    }

    /// <param name="floor">As it was when the look began.</param>
    /// <param name="epoch">The leader epoch under which it was answered, or a later one.</param>
    public void Saw(string group, int partition, long offset, (long Acknowledged, long Seen) floor, int epoch, string how)
    {
        Looks++;
        if (offset < floor.Acknowledged)
        {
            world.Fail($"G1 is broken: {how} shows offset {offset} of {group}/{partition}, and {floor.Acknowledged} was acknowledged");
        }

        if (offset < floor.Seen)
        {
            world.Fail($"G2 is broken: {how} shows offset {offset} of {group}/{partition}, and {floor.Seen} was seen before");
        }

        if (offset >= 0 && !Of(group, partition).Sent.Contains(offset))
        {
            world.Fail($"G2 is broken: {how} shows offset {offset} of {group}/{partition}, which nobody committed");
        }

        Raise(Of(group, partition).Seen, epoch, offset);
    }

    /// <summary>A member was told that it has a partition in a generation.</summary>
    public void Owns(string group, int generation, int partition, string member, string how)
    {
        if (!_owners.TryAdd((group, generation, partition), (member, how)) && _owners[(group, generation, partition)] is var (first, where) && first != member)
        {
            world.Fail($"G3 is broken: in generation {generation} of {group} partition {partition} is {member}'s, says {how}, and was {first}'s, said {where}");
        }
    }

    /// <summary>
    /// The coordinator of one leader epoch answered a member of the consumer protocol that has a partition, or has only now to give it up. From the first such
    /// answer to the moment at which it asked for the last one, the partition was this member's.
    /// </summary>
    /// <param name="given">The step at which it was given the partition.</param>
    /// <param name="asked">The step at which it asked.</param>
    public void Holds(string group, int epoch, int partition, string member, long given, long asked)
    {
        if (!_holdings.TryGetValue((group, epoch, partition), out var holdings))
        {
            _holdings[(group, epoch, partition)] = holdings = [];
        }

        if (holdings.Find(h => h.Member == member && h.Given == given) is not { } mine)
        {
            holdings.Add(mine = new Holding(member, given, world.Steps));
        }
        else
        {
            mine.Until = Math.Max(mine.Until, asked);
        }

        if (holdings.Find(h => h.Member != member && h.From < mine.Until && mine.From < h.Until) is { } other)
        {
            world.Fail(
                $"G3 is broken: in leader epoch {epoch} partition {partition} of {group} was {mine.Member}'s in steps {mine.From} to {mine.Until}, and "
                + $"{other.Member}'s in steps {other.From} to {other.Until}");
        }
    }

    /// <summary>A member of the classic protocol has got its assignment, so the generation is in the log.</summary>
    public void Began(string group, int epoch, int generation) =>
        _generations[(group, epoch)] = Math.Max(generation, Generation(group, epoch));

    /// <summary>The newest generation that is known to be in the log of the coordinator of this leader epoch; -1 for none.</summary>
    public int Generation(string group, int epoch) => _generations.GetValueOrDefault((group, epoch), -1);

    /// <param name="known">The newest generation that was known before the commit was sent, of the coordinator that took it.</param>
    public void Took(string group, int generation, int known, string member)
    {
        OfGenerations += known >= 0 ? 1 : 0;
        if (generation < known)
        {
            world.Fail($"G3 is broken: a commit of {member} in generation {generation} of {group} was taken, which had come to generation {known}");
        }
    }

    private Commits Of(string group, int partition)
    {
        if (!_commits.TryGetValue((group, partition), out var commits))
        {
            _commits[(group, partition)] = commits = new Commits();
        }

        return commits;
    }

    private static void Raise(SortedDictionary<int, long> byEpoch, int epoch, long offset) =>
        byEpoch[epoch] = Math.Max(offset, byEpoch.GetValueOrDefault(epoch, -1));

    private static long Newest(SortedDictionary<int, long> byEpoch, int epoch) =>
        byEpoch.TakeWhile(e => e.Key <= epoch).Select(e => e.Value).DefaultIfEmpty(-1).Max();
}
