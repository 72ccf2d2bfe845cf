using System.Collections.Immutable;
using OrleansStream.Broker.Cluster;
using OrleansStream.Broker.Configuration;
using OrleansStream.Broker.Engine;
using OrleansStream.Broker.Topics;
using OrleansStream.Simulation.Kit;
using OrleansStream.Storage;

namespace OrleansStream.Simulation;

/// <summary>
/// Who assigns partitions to the brokers of a simulated cluster, in the place of the grains: learns late that a broker has died, sometimes takes a living one
/// for dead, carries out the plan and moves of its own, and tells everybody, with messages that come late, in another order or not at all, again and again.
/// It does not crash itself: what a crash of it would do to the brokers, its lost and late messages do.
/// </summary>
/// <param name="topic">Its partitions are assigned.</param>
/// <param name="known">Topics that brokers are only told of.</param>
internal sealed class SimulatedController(SimulationScheduler world, IReadOnlyList<SimulatedBroker> brokers, string topic, params string[] known)
{
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(3);
    private readonly Dictionary<PartitionId, int> _leaders = [];
    private readonly Dictionary<PartitionId, int> _epochs = [];
    private readonly HashSet<PartitionId> _moving = [];
    private readonly SortedDictionary<int, SimulatedProcess> _members = [];
    private readonly Dictionary<SimulatedProcess, long> _deathKnownAt = [];
    private long _version;

    public bool Stopping { get; set; }

    /// <summary>Whether partitions also move for no reason.</summary>
    public bool Shaking { get; set; } = true;

    public int Moves { get; private set; }

    public static EngineParts Equip(EngineParts parts, int nodeId, IEngineHost host) => parts with
    {
        Settings = BrokerSettingsParser.Parse([new("node.id", $"{nodeId}")]).Settings, Host = host, Owner = OwnerId.OfCluster("simulation"),
    };

    public async Task RunAsync()
    {
        while (!Stopping)
        {
            Look();
            Plan();
            Tell();
            await world.Script.Delay(world.Between(30, 300));
        }
    }

    /// <summary>Somewhere in a bad time the others may come to think that a broker is dead. It learns of it a while after the bad time, and ends.</summary>
    public async Task TakenForDeadAsync(SimulatedBroker broker, SimulatedProcess process, TimeSpan badTime)
    {
        await world.Script.Delay(badTime / 2);
        if (world.Chance(0.5) && broker.Process == process)
        {
            Suspect(broker);
            world.After(badTime + world.Between(10, 3_000), process.Crash);
        }

        await world.Script.Delay(badTime / 2);
    }

    /// <summary>Takes a broker for dead that may live. It goes on as it likes until somebody ends it.</summary>
    private void Suspect(SimulatedBroker broker)
    {
        if (_members.Remove(NodeId(broker), out var process))
        {
            _deathKnownAt[process] = long.MinValue;
            Orphan(NodeId(broker));
        }
    }

    public ClusterAssignment Current()
    {
        var controller = _members.Count > 0 ? _members.Keys.First() : -1;
        var topics = ImmutableDictionary<Guid, ImmutableArray<PartitionPicture>>.Empty;
        foreach (var group in _leaders.GroupBy(l => l.Key.TopicId))
        {
            topics = topics.Add(group.Key, [.. group.OrderBy(l => l.Key.Index).Select(l => new PartitionPicture(l.Value, _epochs.GetValueOrDefault(l.Key, -1)))]);
        }

        return new ClusterAssignment(_version, controller, [.. _members.Keys.Select(Picture)], topics);
    }

    public void Opened(PartitionId partition, int epoch)
    {
        if (epoch > _epochs.GetValueOrDefault(partition, -1))
        {
            _epochs[partition] = epoch;
            _version++;
        }
    }

    private int NodeId(SimulatedBroker broker)
    {
        for (var i = 0; i < brokers.Count; i++)
        {
            if (brokers[i] == broker)
            {
                return i + 1;
            }
        }

        throw new ArgumentException("not of this cluster", nameof(broker));
    }

    private static BrokerPicture Picture(int nodeId) => new(nodeId, null, new Dictionary<string, AdvertisedAddress>());

    private void Orphan(int nodeId)
    {
        foreach (var partition in _leaders.Where(l => l.Value == nodeId).Select(l => l.Key).ToList())
        {
            _leaders[partition] = -1;
        }

        _version++;
    }

    private void Look()
    {
        for (var nodeId = 1; nodeId <= brokers.Count; nodeId++)
        {
            var broker = brokers[nodeId - 1];
            var process = broker.Engine is null ? null : broker.Process;
            if (_members.TryGetValue(nodeId, out var member) && !member.Alive)
            {
                // Another process of that broker tells that the first is dead; else it takes a while to find out.
                _deathKnownAt.TryAdd(member, world.NowTicks + world.Between(200, 2_500).Ticks);
                if (process is { Alive: true } || _deathKnownAt[member] <= world.NowTicks)
                {
                    _members.Remove(nodeId);
                    Orphan(nodeId);
                }
            }

            if (process is { Alive: true } && !_members.ContainsKey(nodeId) && !_deathKnownAt.ContainsKey(process))
            {
                _members[nodeId] = process;
                _version++;
            }

            if (broker.Engine is { } engine && engine.Cluster.TopicsByName.TryGetValue(topic, out var picture))
            {
                for (var i = 0; i < picture.Partitions.Count; i++)
                {
                    _leaders.TryAdd(new PartitionId(picture.Id, i), -1);
                }
            }
        }
    }

    private void Plan()
    {
        var plan = PartitionPlan.Make(_members.Keys.Select(id => new PlanBroker(id)), _leaders, Math.Max(0, 2 - _moving.Count));
        foreach (var (partition, to) in plan.Placements)
        {
            _leaders[partition] = to;
            _version++;
        }

        foreach (var (partition, from, to) in plan.Moves)
        {
            Move(partition, from, to);
        }

        if (Shaking && _members.Count > 1 && _leaders.Count > 0 && world.Chance(0.15))
        {
            var (partition, from) = _leaders.OrderBy(l => l.Key.Index).ElementAt(world.Random.Next(_leaders.Count));
            Move(partition, from, _members.Keys.ElementAt(world.Random.Next(_members.Count)));
        }
    }

    private void Move(PartitionId partition, int from, int to)
    {
        if (from != to && _moving.Add(partition))
        {
            Moves++;
            world.Script.Start("move", () => MoveAsync(partition, from, to));
        }
    }

    private async Task MoveAsync(PartitionId partition, int from, int to)
    {
        await CallAsync(from, engine => engine.PrepareReleaseAsync(partition, default));
        if (_leaders[partition] == from && _members.ContainsKey(to))
        {
            _leaders[partition] = to;
            _version++;
            Tell();
            await world.Script.Delay(world.Between(0, 150));
            await CallAsync(from, engine => engine.ReleaseAsync(partition, default));
        }

        _moving.Remove(partition);
        Tell();
    }

    private void Tell()
    {
        var assignment = Current();
        foreach (var nodeId in _members.Keys)
        {
            if (world.Chance(0.1))
            {
                continue;
            }

            var mine = _leaders.Where(l => l.Value == nodeId && !_moving.Contains(l.Key)).Select(l => l.Key).OrderBy(p => p.Index).ToList();
            world.Script.Start("tell", async () =>
            {
                await world.Script.Delay(world.Between(0, 80));
                await CallAsync(nodeId, async engine =>
                {
                    engine.Assign(assignment);
                    string[] unknown = [.. known.Append(topic).Where(t => !engine.Cluster.TopicsByName.ContainsKey(t))];
                    if (unknown.Length > 0)
                    {
                        await engine.TopicsChangedAsync(unknown, default);
                    }
                });
                foreach (var partition in mine)
                {
                    // Decided meanwhile: somebody else's, or to be let go first.
                    if (_leaders.GetValueOrDefault(partition, -1) == nodeId && !_moving.Contains(partition))
                    {
                        world.Script.Start("lead", () => CallAsync(nodeId, async engine => await engine.LeadAsync(partition, default)));
                    }
                }
            });
        }
    }

    /// <summary>Calls the broker that is believed to live, and waits for its answer for a while only.</summary>
    private async Task CallAsync(int nodeId, Func<BrokerEngine, ValueTask> call)
    {
        var broker = brokers[nodeId - 1];
        if (broker.Engine is not { } engine || broker.Process is not { Alive: true } process)
        {
            return;
        }

        var calling = QuietlyAsync(process, () => call(engine));
        await Task.WhenAny(calling, world.Script.Delay(s_patience));
    }

    private static async Task QuietlyAsync(SimulatedProcess process, Func<ValueTask> call)
    {
        try
        {
            await process.CallAsync(call);
        }
        catch (Exception e) when (e is IOException or ProcessCrashedException or OperationCanceledException)
        {
            // What was asked is asked again, or decided anew.
        }
    }

    /// <summary>The host of one broker process.</summary>
    internal sealed class Host(SimulatedController controller, SimulationScheduler world, SimulatedBroker broker, SimulatedProcess process) : IEngineHost
    {
        public void Opened(PartitionId partition, int leaderEpoch) =>
            world.After(world.Between(0, 100), () => controller.Opened(partition, leaderEpoch));

        public void SteppedDown(PartitionId partition, int leaderEpoch) { }

        public async ValueTask ConfirmAssignmentAsync(CancellationToken cancel)
        {
            await process.Delay(world.Between(5, 200));
            broker.Engine?.Assign(controller.Current());
        }
    }
}
