using OrleansStream.Broker.Configuration;
using OrleansStream.Protocol;
using OrleansStream.Simulation.Kit;
using OrleansStream.Storage.Logs;
using OrleansStream.Storage.Ports;

namespace OrleansStream.Simulation;

/// <summary>
/// Three brokers of one cluster on one store, whose partitions of __consumer_offsets move between them by plan and by failover; consumers that commit alone and
/// members of both protocols, who do not know where their coordinator is; and a hand that crashes, pauses, cuts off, and declares the living dead. In the end a
/// broker of its own takes over and shows what the groups have, and another once more.
/// </summary>
internal sealed class GroupScenario : Scenario
{
    private const string Offsets = "__consumer_offsets";
    private const int Partitions = 4;
    private static readonly TimeSpan s_length = TimeSpan.FromSeconds(12);
    private static readonly string[] s_groups = ["alone-1", "alone-2", "classic", "consumer"];
    private readonly List<SimulatedBroker> _brokers = [];
    private readonly SimulatedController _controller;
    private readonly GroupHistory _groups;
    private readonly int _offsetsPartitions;

    public GroupScenario(int seed, Mutation? mutation = null)
        : base(seed, mutation)
    {
        _groups = new GroupHistory(World);
        _offsetsPartitions = World.Random.Next(1, 4);
        _controller = new SimulatedController(World, _brokers, Offsets, Topic);
        for (var i = 1; i <= 3; i++)
        {
            var nodeId = i;
            SimulatedBroker broker = null!;
            broker = new SimulatedBroker(World, $"broker{i}", Connect, BlobJournals, (process, parts) =>
                SimulatedController.Equip(parts, nodeId, new SimulatedController.Host(_controller, World, broker, process)) with
                {
                    Manifests = Mutation?.ManifestStore(new ObjectManifestStore(parts.Store)), Settings = Settings(nodeId), GroupSnapshotRecords = 40,
                });
            _brokers.Add(broker);
        }
    }

    private IObjectStore Connect(SimulatedProcess process)
    {
        var store = Store.Connect(process);
        return Mutation?.Manifests(store) ?? store;
    }

    private BrokerSettings Settings(int nodeId) => BrokerSettingsParser.Parse(
    [
        new("node.id", $"{nodeId}"), new("offsets.topic.num.partitions", $"{_offsetsPartitions}"), new("group.initial.rebalance.delay.ms", "0"),
        new("group.min.session.timeout.ms", "500"), new("group.consumer.min.session.timeout.ms", "500"), new("group.consumer.session.timeout.ms", "1000"),
        new("group.consumer.min.heartbeat.interval.ms", "100"), new("group.consumer.heartbeat.interval.ms", "100"), new("group.consumer.assignment.interval.ms", "0"),
    ]).Settings;

    protected override async Task RunAsync()
    {
        var supervised = _brokers.Select(b => b.SuperviseAsync()).ToList();
        var controlling = _controller.RunAsync();
        await CreateTopicAsync(_brokers, Partitions);
        await CreateOffsetsAsync();
        var clients = new GroupClients(World, _groups, _brokers, Topic, Partitions, Mutation);
        var members = new SimulatedMembers(clients, Topic);
        var working = new List<Task>();
        for (var i = 0; i < 3; i++)
        {
            working.Add(clients.CommitAloneAsync(s_groups[i % 2], i));
            working.Add(members.JoinAsync("classic"));
            working.Add(members.ConsumeAsync("consumer", $"member-{i}"));
        }

        working.AddRange(s_groups.Select(clients.LookAsync));
        Store.Faults = World.Chance(0.6) ? StoreFaults.Some : StoreFaults.None;
        var end = World.NowTicks + s_length.Ticks;
        while (World.NowTicks < end)
        {
            await World.Script.Delay(World.Between(100, 1_500));
            var broker = _brokers[World.Random.Next(_brokers.Count)];
            if (broker.Process is { Alive: true } process)
            {
                await DisturbAsync(process, World.Random.Next(5), badTime => _controller.TakenForDeadAsync(broker, process, badTime));
            }
        }

        Store.Faults = StoreFaults.None;
        _controller.Shaking = false;
        clients.Stopping = true;
        await WithinAsync(TimeSpan.FromSeconds(200), Task.WhenAll(working), "members of groups still wait for an answer");
        _controller.Stopping = true;
        await controlling;
        _brokers.ForEach(b => b.StopSupervising());
        await Task.WhenAll(supervised);
        foreach (var name in new[] { "last", "after" })
        {
            await LookAtEverythingAsync(name);
        }

        Summary = $"{_groups.Acknowledgements} commits acknowledged, {_groups.Looks} looked at, {_groups.Ownerships} ownerships, {_groups.Holdings} holdings, "
            + $"{_groups.OfGenerations} commits held against generations, {_controller.Moves} moves, "
            + $"{_brokers.Sum(b => b.Starts)} starts, {World.Steps} steps";
    }

    /// <summary>A broker that knows no cluster takes everything over.</summary>
    private async Task LookAtEverythingAsync(string name)
    {
        var broker = new SimulatedBroker(World, name, Connect, BlobJournals);
        var clients = new GroupClients(World, _groups, [broker], Topic, Partitions);
        var process = new SimulatedProcess(World, name);
        await broker.StartAsync(process);
        foreach (var group in s_groups)
        {
            await WithinAsync(TimeSpan.FromSeconds(100), UntilShownAsync(group), "a group is not served");
        }

        process.Crash();

        async Task UntilShownAsync(string group)
        {
            while (!await clients.LookOnceAsync(group, broker))
            {
                await World.Script.Delay(TimeSpan.FromMilliseconds(20));
            }
        }
    }

    private async Task CreateOffsetsAsync()
    {
        while (true)
        {
            var broker = _brokers[World.Random.Next(_brokers.Count)];
            if (broker.Engine is { } engine && broker.Process is { Alive: true } process)
            {
                var outcome = await process.CallAsync(() => engine.Topics.AutoCreateAsync(Offsets, default));
                if (outcome.Error.Code is ErrorCode.None or ErrorCode.TopicAlreadyExists)
                {
                    return;
                }
            }

            await World.Script.Delay(TimeSpan.FromMilliseconds(50));
        }
    }
}
