using OrleansStream.Simulation.Kit;

namespace OrleansStream.Simulation;

/// <summary>
/// What clients of groups were told, checked as it comes. A leader that does not know yet that it was replaced may show what was so before: so a look is held
/// against what was acknowledged and seen under its own leader epoch or an earlier one.
/// <list type="bullet">
/// <item>G1 a committed offset that was acknowledged is there</item>
/// <item>G2 a committed offset does not go back (who commits only ever commits more), and nothing is there that nobody committed</item>
/// <item>G3 within a generation, or member epoch, a partition has one owner</item>
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

    private readonly Dictionary<(string Group, int Partition), Commits> _commits = [];
    private readonly Dictionary<(string Group, int Generation, int Partition), (string Member, string How)> _owners = [];
    private long _next;

    public int Acknowledgements { get; private set; }
    public int Looks { get; private set; }
    public int Ownerships => _owners.Count;
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
