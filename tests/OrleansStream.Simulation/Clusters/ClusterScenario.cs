using OrleansStream.Simulation.Kit;
using OrleansStream.Storage.Logs;

namespace OrleansStream.Simulation;

/// <summary>
/// Three brokers of one cluster on one store, partitions that move between them by plan and by failover, clients that do not know where, and a hand that
/// crashes, pauses, cuts off, and declares the living dead. In the end all faults stop, and a broker of its own, which knows no cluster, takes everything
/// over, reads it, ends in good order, and another reads it again.
/// </summary>
internal sealed class ClusterScenario : Scenario
{
    private static readonly TimeSpan s_length = TimeSpan.FromSeconds(12);
    private readonly List<SimulatedBroker> _brokers = [];
    private readonly SimulatedController _controller;
    private readonly int _partitions;

    public ClusterScenario(int seed, Mutation? mutation = null)
        : base(seed, mutation)
    {
        _partitions = World.Random.Next(2, 5);
        _controller = new SimulatedController(World, _brokers, Topic);
        for (var i = 1; i <= 3; i++)
        {
            var nodeId = i;
            SimulatedBroker broker = null!;
            broker = new SimulatedBroker(World, $"broker{i}", Store.Connect, BlobJournals, (process, parts) =>
                SimulatedController.Equip(parts, nodeId, new SimulatedController.Host(_controller, World, broker, process)) with
                {
                    Manifests = Mutation?.ManifestStore(new ObjectManifestStore(parts.Store)),
                });
            _brokers.Add(broker);
        }
    }

    protected override async Task RunAsync()
    {
        var supervised = _brokers.Select(b => b.SuperviseAsync()).ToList();
        var controlling = _controller.RunAsync();
        await CreateTopicAsync(_brokers, _partitions);
        var clients = new SimulatedClients(World, History, _brokers, Topic, _partitions);
        var writing = new List<Task>();
        var reading = new List<Task>();
        for (var i = 0; i < _partitions; i++)
        {
            writing.Add(clients.ProduceSafelyAsync(i));
            reading.Add(clients.ProduceLooselyAsync(i));
            reading.Add(clients.ReadAsync());
        }

        Store.Faults = World.Chance(0.6) ? StoreFaults.Some : StoreFaults.None;
        var end = World.NowTicks + s_length.Ticks;
        while (World.NowTicks < end)
        {
            await World.Script.Delay(World.Between(100, 2_500));
            var broker = _brokers[World.Random.Next(_brokers.Count)];
            if (broker.Process is { Alive: true } process)
            {
                await DisturbAsync(process, World.Random.Next(5), badTime => _controller.TakenForDeadAsync(broker, process, badTime));
            }
        }

        // All faults end, and everything must come to an end by itself.
        Store.Faults = StoreFaults.None;
        _controller.Shaking = false;
        clients.Stopping = true;
        await EndAsync(writing, reading);
        _controller.Stopping = true;
        await controlling;
        _brokers.ForEach(b => b.StopSupervising());
        await Task.WhenAll(supervised);

        foreach (var (name, inGoodOrder) in new[] { ("last", true), ("after", false) })
        {
            await ReadEverythingAsync(
                new SimulatedBroker(World, name, Store.Connect, BlobJournals), new SimulatedProcess(World, name), clients,
                () => Enumerable.Range(0, _partitions).Select(i => (Topic, i)), inGoodOrder);
        }

        Summary = $"{History.Acknowledgements} acknowledged, {History.Reads} read, {History.Reigns} reigns, {_controller.Moves} moves, "
            + $"{_brokers.Sum(b => b.Starts)} starts, {Watch.Entries} journal entries let go, {World.Steps} steps";
    }
}
