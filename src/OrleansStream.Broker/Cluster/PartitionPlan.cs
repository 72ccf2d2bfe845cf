using OrleansStream.Storage;

namespace OrleansStream.Broker.Cluster;

/// <summary>A broker that lives, as the plan sees it.</summary>
/// <param name="Rack">broker.rack: a zone, or null.</param>
/// <param name="Leaving">It is about to stop: it gets nothing more, and what it leads moves away by plan.</param>
public sealed record PlanBroker(int NodeId, string? Rack = null, bool Leaving = false);

/// <summary>A partition that is to be led by a broker at once, because nobody who lives leads it.</summary>
public readonly record struct PlannedPlacement(PartitionId Partition, int To);

/// <summary>A partition that is to change its leader while both live.</summary>
public readonly record struct PlannedMove(PartitionId Partition, int From, int To);

/// <summary>
/// Which broker leads which partition: pure, and the same for the same input. In this order of importance:
/// <list type="number">
/// <item>what nobody leads who lives is placed at once</item>
/// <item>in the end brokers lead equally many partitions, to within one</item>
/// <item>as few as possible move, hence none while the counts are even</item>
/// <item>the partitions of one topic are spread over racks, then over brokers</item>
/// </list>
/// Moves between living brokers are few at a time: whoever carries the plan out makes another when some of them are done.
/// </summary>
public sealed class PartitionPlan
{
    private sealed class Load(PlanBroker broker)
    {
        public PlanBroker Broker { get; } = broker;
        public List<PartitionId> Partitions { get; } = [];
        public int Count => Partitions.Count;
    }

    private readonly Dictionary<int, Load> _loads;
    private readonly Load[] _takers;
    private readonly Dictionary<(Guid Topic, string? Rack), int> _inRack = [];
    private readonly Dictionary<(Guid Topic, int NodeId), int> _inBroker = [];
    private readonly List<PlannedPlacement> _placements = [];
    private readonly List<PlannedMove> _moves = [];
    private readonly int _floor;
    private int _larger;

    private PartitionPlan(IEnumerable<PlanBroker> brokers, IReadOnlyDictionary<PartitionId, int> leaders, int moves)
    {
        _loads = brokers.ToDictionary(b => b.NodeId, b => new Load(b));
        _takers = [.. _loads.Values.Where(l => !l.Broker.Leaving).OrderBy(l => l.Broker.NodeId)];
        if (_takers.Length == 0)
        {
            // Where everybody leaves, somebody must still lead; but nothing moves from one to the other.
            _takers = [.. _loads.Values.OrderBy(l => l.Broker.NodeId)];
            moves = 0;
        }
        if (_takers.Length == 0)
            return;
        _floor = leaders.Count / _takers.Length;
        _larger = leaders.Count % _takers.Length;
        List<PartitionId> orphans = [];
        foreach (var (partition, leader) in leaders.OrderBy(l => l.Key.TopicId).ThenBy(l => l.Key.Index))
        {
            if (_loads.TryGetValue(leader, out var load))
                Put(partition, load);
            else
                orphans.Add(partition);
        }
        foreach (var orphan in orphans)
            Place(orphan);
        while (_moves.Count < moves && Best() is { } move)
            Carry(move);
    }

    /// <summary>Partitions that have a leader now: all that had none, or a dead one. Empty only where no broker lives.</summary>
    public IReadOnlyList<PlannedPlacement> Placements => _placements;

    /// <summary>The next moves on the way to even counts, at most as many as were asked for.</summary>
    public IReadOnlyList<PlannedMove> Moves => _moves;

    /// <param name="brokers">The brokers that live.</param>
    /// <param name="leaders">Every partition that exists and its leader: -1 or a node id that is not among the brokers for none. One that is moving counts for where it goes.</param>
    /// <param name="moves">How many moves may begin now.</param>
    public static PartitionPlan Make(IEnumerable<PlanBroker> brokers, IReadOnlyDictionary<PartitionId, int> leaders, int moves) => new(brokers, leaders, moves);

    /// <summary>
    /// Whether a broker may take one more without having too many in the end: below the average rounded down, or one above it as long as the rest of the division
    /// leaves room for that.
    /// </summary>
    private bool MayTake(Load load) => load.Count < _floor || (load.Count == _floor && _takers.Count(t => t.Count > _floor) < _larger);

    /// <summary>Whether a broker leads more than it should in the end. Of those that lead one more than the average some may keep it: the first by node id.</summary>
    private bool MustGive(Load load)
    {
        if (load.Broker.Leaving || load.Count == 0)
            return load.Count > 0;
        if (load.Count != _floor + 1)
            return load.Count > _floor + 1;
        // Those with more than one above the average keep one above it too, so they come first.
        var before = _takers.Count(t => t.Count > _floor + 1 || (t.Count == _floor + 1 && t.Broker.NodeId < load.Broker.NodeId));
        return before >= _larger;
    }

    private void Place(PartitionId partition)
    {
        Load? best = null;
        foreach (var taker in _takers)
        {
            if (MayTake(taker) && (best is null || Costs(partition, taker).CompareTo(Costs(partition, best)) < 0))
                best = taker;
        }
        // There is always room: the shares of all add up to the number of partitions.
        Put(partition, best!);
        _placements.Add(new PlannedPlacement(partition, best!.Broker.NodeId));
    }

    private (int InRack, int InBroker, int Count, int NodeId) Costs(PartitionId partition, Load load) => (
        _inRack.GetValueOrDefault((partition.TopicId, load.Broker.Rack)), _inBroker.GetValueOrDefault((partition.TopicId, load.Broker.NodeId)),
        load.Count, load.Broker.NodeId);

    /// <summary>The move that makes the spread of its topic best, from a broker that must give to one that may take.</summary>
    private PlannedMove? Best()
    {
        var givers = _loads.Values.Where(MustGive).OrderByDescending(l => l.Broker.Leaving).ThenByDescending(l => l.Count).ThenBy(l => l.Broker.NodeId);
        if (givers.FirstOrDefault() is not { } giver)
            return null;
        PlannedMove? best = null;
        (int, int, int, int) lowest = default;
        foreach (var taker in _takers)
        {
            if (taker == giver || !MayReceive(taker, giver))
                continue;
            foreach (var partition in giver.Partitions)
            {
                var sameRack = taker.Broker.Rack == giver.Broker.Rack;
                var there = Costs(partition, taker);
                var here = Costs(partition, giver);
                // What the topic's spread gains; within one rack its count there stays.
                var cost = (sameRack ? 0 : there.InRack + 1 - here.InRack, there.InBroker + 1 - here.InBroker, there.Count, there.NodeId);
                if (best is null || cost.CompareTo(lowest) < 0)
                    (best, lowest) = (new PlannedMove(partition, giver.Broker.NodeId, taker.Broker.NodeId), cost);
            }
        }
        return best;
    }

    /// <summary>As <see cref="MayTake"/>, for a partition that makes its giver one of those with no more than the average where it had only one more.</summary>
    private bool MayReceive(Load load, Load giver) =>
        load.Count < _floor
        || (load.Count == _floor && _takers.Count(t => t.Count > _floor && !(t == giver && t.Count == _floor + 1)) < _larger);

    private void Carry(PlannedMove move)
    {
        var (from, to) = (_loads[move.From], _loads[move.To]);
        from.Partitions.Remove(move.Partition);
        Count(move.Partition, from, -1);
        Put(move.Partition, to);
        _moves.Add(move);
    }

    private void Put(PartitionId partition, Load load)
    {
        load.Partitions.Add(partition);
        Count(partition, load, 1);
    }

    private void Count(PartitionId partition, Load load, int by)
    {
        var rack = (partition.TopicId, load.Broker.Rack);
        _inRack[rack] = _inRack.GetValueOrDefault(rack) + by;
        var broker = (partition.TopicId, load.Broker.NodeId);
        _inBroker[broker] = _inBroker.GetValueOrDefault(broker) + by;
    }
}
