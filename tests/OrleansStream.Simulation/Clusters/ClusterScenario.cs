using OrleansStream.Broker.Topics;
using OrleansStream.Protocol;
using OrleansStream.Simulation.Kit;
using OrleansStream.Storage.Journals;
using OrleansStream.Storage.Journals.Blob;
using OrleansStream.Storage.Logs;

namespace OrleansStream.Simulation;

/// <summary>
/// Three brokers of one cluster on one store, partitions that move between them by plan and by failover, clients that do not know where, and a hand that
/// crashes, pauses, cuts off, and declares the living dead. In the end all faults stop, and a broker of its own, which knows no cluster, takes everything
/// over, reads it, ends in good order, and another reads it again.
/// </summary>
internal sealed class ClusterScenario
{
    private const string Topic = "t";
    private static readonly TimeSpan s_length = TimeSpan.FromSeconds(12);
    private readonly SimulationScheduler _world;
    private readonly SimulatedObjectStore _store;
    private readonly DeletionWatch _watch;
    private readonly List<SimulatedBroker> _brokers = [];
    private readonly SimulatedController _controller;
    private readonly int _partitions;
    private readonly Mutation? _mutation;

    /// <param name="mutation">What is broken on purpose.</param>
    public ClusterScenario(int seed, Mutation? mutation = null)
    {
        _world = new SimulationScheduler(seed) { AwaitsThreadPool = true };
        _mutation = mutation;
        _store = new SimulatedObjectStore(_world);
        History = new History(_world);
        _watch = new DeletionWatch(_store, History);
        _store.Deleting = _watch.ObjectGoes;
        _world.Logs.OnLine = line => BrokerScenario.Listen(_world, line);
        _partitions = _world.Random.Next(2, 5);
        _controller = new SimulatedController(_world, _brokers, Topic);
        for (var i = 1; i <= 3; i++)
        {
            var nodeId = i;
            SimulatedBroker broker = null!;
            broker = new SimulatedBroker(_world, $"broker{i}", _store.Connect, Journals, (process, parts) =>
                SimulatedController.Equip(parts, nodeId, new SimulatedController.Host(_controller, _world, broker, process)) with
                {
                    Manifests = _mutation?.ManifestStore(new ObjectManifestStore(parts.Store)),
                });
            _brokers.Add(broker);
        }
    }

    public History History { get; }
    public ulong Digest => _world.Digest;
    public string Summary { get; private set; } = "";

    public void Run() => _world.Run(RunAsync);

    private IJournalSystem Journals(SimulatedProcess process)
    {
        var store = _store.Connect(process);
        IJournalSystem journals = new BlobJournalSystem(_mutation?.Store(store) ?? store, process.Ports, new BlobJournalOptions { MaxObjectBytes = 16 << 10 });
        return _mutation?.Journals(journals, process) ?? journals;
    }

    private async Task RunAsync()
    {
        var supervised = _brokers.Select(b => b.SuperviseAsync()).ToList();
        var controlling = _controller.RunAsync();
        await CreateTopicAsync();
        var clients = new SimulatedClients(_world, History, _brokers, Topic, _partitions);
        var writing = new List<Task>();
        var reading = new List<Task>();
        for (var i = 0; i < _partitions; i++)
        {
            writing.Add(clients.ProduceSafelyAsync(i));
            reading.Add(clients.ProduceLooselyAsync(i));
            reading.Add(clients.ReadAsync());
        }

        _store.Faults = _world.Chance(0.6) ? StoreFaults.Some : StoreFaults.None;
        var end = _world.NowTicks + s_length.Ticks;
        while (_world.NowTicks < end)
        {
            await _world.Script.Delay(_world.Between(100, 2_500));
            await DisturbAsync(_brokers[_world.Random.Next(_brokers.Count)]);
        }

        // All faults end, and everything must come to an end by itself.
        _store.Faults = StoreFaults.None;
        _controller.Shaking = false;
        clients.Stopping = true;
        await Within(TimeSpan.FromSeconds(200), Task.WhenAll(writing), "the producers still wait for an acknowledgement");
        await Within(TimeSpan.FromSeconds(200), Task.WhenAll(reading), "the readers still wait for an answer");
        _controller.Stopping = true;
        await controlling;
        _brokers.ForEach(b => b.StopSupervising());
        await Task.WhenAll(supervised);

        await ReadEverythingAsync("last", clients, inGoodOrder: true);
        await ReadEverythingAsync("after", clients, inGoodOrder: false);
        Summary = $"{History.Acknowledgements} acknowledged, {History.Reads} read, {History.Reigns} reigns, {_controller.Moves} moves, "
            + $"{_brokers.Sum(b => b.Starts)} starts, {_watch.Entries} journal entries let go, {_world.Steps} steps";
    }

    private async Task ReadEverythingAsync(string name, SimulatedClients clients, bool inGoodOrder)
    {
        var broker = new SimulatedBroker(_world, name, _store.Connect, Journals);
        var process = new SimulatedProcess(_world, name);
        await broker.StartAsync(process);
        for (var i = 0; i < _partitions; i++)
        {
            var reading = clients.ReadAllAsync(broker, Topic, i);
            await Within(TimeSpan.FromSeconds(100), reading, "the log cannot be read");
            History.Final(await reading);
        }

        if (inGoodOrder)
        {
            await Within(TimeSpan.FromSeconds(100), process.CallAsync(() => broker.Engine!.StopAsync(default)), "the broker does not stop");
        }

        process.Crash();
    }

    private async Task CreateTopicAsync()
    {
        while (true)
        {
            var broker = _brokers[_world.Random.Next(_brokers.Count)];
            if (broker.Engine is { } engine && broker.Process is { Alive: true } process)
            {
                var topic = new NewTopic(Topic, _partitions, 1, [], new Dictionary<string, string?>());
                var outcome = await process.CallAsync(() => engine.Topics.CreateAsync(topic, false, default));
                if (outcome.Error.Code is ErrorCode.None or ErrorCode.TopicAlreadyExists)
                {
                    return;
                }
            }

            await _world.Script.Delay(TimeSpan.FromMilliseconds(50));
        }
    }

    private async Task DisturbAsync(SimulatedBroker broker)
    {
        if (broker.Process is not { Alive: true } process)
        {
            return;
        }

        switch (_world.Random.Next(5))
        {
            case 0:
                _world.AfterSteps(_world.Random.Next(1, 400), process.Crash);
                break;
            case 1:
                process.Pause();
                await TakenForDeadAsync(broker, process, _world.Between(10, 4_000));
                process.Resume();
                break;
            case 2:
                _store.CutOff(process);
                await TakenForDeadAsync(broker, process, _world.Between(10, 5_000));
                _store.Restore(process);
                break;
        }
    }

    /// <summary>Somewhere in a bad time the others may come to think that a broker is dead. It learns of it a while after the bad time, and ends.</summary>
    private async Task TakenForDeadAsync(SimulatedBroker broker, SimulatedProcess process, TimeSpan badTime)
    {
        await _world.Script.Delay(badTime / 2);
        if (_world.Chance(0.5) && broker.Process == process)
        {
            _controller.Suspect(broker);
            _world.After(badTime + _world.Between(10, 3_000), process.Crash);
        }

        await _world.Script.Delay(badTime / 2);
    }

    private async Task Within(TimeSpan limit, Task work, string otherwise)
    {
        var timeout = _world.Script.Delay(limit);
        if (await Task.WhenAny(work, timeout) != work)
        {
            _world.Fail($"liveness: {limit.TotalSeconds} s after the last fault, {otherwise}");
        }

        await work;
    }
}
