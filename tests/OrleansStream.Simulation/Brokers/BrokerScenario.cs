using OrleansStream.Broker.Topics;
using OrleansStream.Protocol;
using OrleansStream.Simulation.Kit;
using OrleansStream.Storage.Journals;
using OrleansStream.Storage.Journals.Blob;
using OrleansStream.Storage.Journals.Disk;
using OrleansStream.Storage.Logs;
using OrleansStream.Storage.Ports;

namespace OrleansStream.Simulation;

/// <summary>
/// Real brokers over a faulty store (and disk), clients that write and read, and a hand that crashes, pauses and cuts off. Two brokers on a shared store take
/// the partitions from each other; over a disk there is one at a time. In the end all faults stop, a last broker reads everything, ends in good
/// order, and another reads everything again.
/// </summary>
/// <remarks>Not covered yet: transactions and groups.</remarks>
internal sealed class BrokerScenario
{
    private const string Topic = "t";
    private static readonly TimeSpan s_length = TimeSpan.FromSeconds(12);
    private readonly SimulationScheduler _world;
    private readonly bool _shared;
    private readonly SimulatedObjectStore _store;
    private readonly SimulatedDisk _disk;
    private readonly DeletionWatch _watch;
    private readonly int _partitions;
    private readonly Mutation? _mutation;

    /// <param name="mutation">What is broken on purpose.</param>
    public BrokerScenario(int seed, Mutation? mutation = null)
    {
        _world = new SimulationScheduler(seed) { AwaitsThreadPool = true };
        _shared = seed % 3 != 0;
        _mutation = mutation;
        _store = new SimulatedObjectStore(_world);
        _disk = new SimulatedDisk(_world);
        History = new History(_world);
        _watch = new DeletionWatch(_store, History);
        _store.Deleting = _watch.ObjectGoes;
        _disk.Going = (name, content) => _watch.FileGoes(_disk, name, content);
        _partitions = _world.Random.Next(1, 4);
        _world.Logs.OnLine = line => Listen(_world, line);
    }

    public History History { get; }
    public ulong Digest => _world.Digest;
    public string Summary { get; private set; } = "";

    public void Run() => _world.Run(RunAsync);

    private IJournalSystem Journals(SimulatedProcess process)
    {
        var store = _store.Connect(process);
        IJournalSystem journals = _shared
            ? new BlobJournalSystem(_mutation?.Store(store) ?? store, process.Ports, new BlobJournalOptions { MaxObjectBytes = 16 << 10 })
            : new DiskJournalSystem(_disk.Mount(process), process.Ports, new DiskJournalOptions
            {
                FileBytes = 32 << 10, MaxCommitBytes = 16 << 10, MaxBytes = 512 << 10, ZeroedAhead = 2,
            });
        return _mutation?.Journals(journals, process) ?? journals;
    }

    private IObjectStore Store(SimulatedProcess process)
    {
        var store = _store.Connect(process);
        return _mutation?.Manifests(store) ?? store;
    }

    private async Task RunAsync()
    {
        var brokers = Enumerable.Range(0, _shared ? 2 : 1).Select(i => new SimulatedBroker(_world, $"broker{i}", Store, Journals)).ToList();
        var supervised = brokers.Select(b => b.SuperviseAsync()).ToList();
        await CreateTopicAsync(brokers);
        var clients = new SimulatedClients(_world, History, brokers, Topic, _partitions);
        var writing = new List<Task>();
        var reading = new List<Task>();
        for (var i = 0; i < _partitions; i++)
        {
            writing.Add(clients.ProduceSafelyAsync(i));
            writing.Add(clients.ProduceSafelyAsync(i));
            reading.Add(clients.ProduceLooselyAsync(i));
            reading.Add(clients.ReadAsync());
        }

        var admin = new SimulatedAdmin(_world, History, clients, Topic, _partitions);
        reading.Add(admin.ActAsync());
        _store.Faults = _world.Chance(0.7) ? StoreFaults.Some : StoreFaults.None;
        var end = _world.NowTicks + s_length.Ticks;
        while (_world.NowTicks < end)
        {
            await _world.Script.Delay(_world.Between(100, 3_000));
            await DisturbAsync(brokers[_world.Random.Next(brokers.Count)]);
        }

        // All faults end, and everything must come to an end by itself.
        _store.Faults = StoreFaults.None;
        _disk.Faults = DiskFaults.None;
        clients.Stopping = admin.Stopping = true;
        await Within(TimeSpan.FromSeconds(200), Task.WhenAll(writing), "the producers still wait for an acknowledgement");
        await Within(TimeSpan.FromSeconds(200), Task.WhenAll(reading), "the readers or the administrator still wait for an answer");
        brokers.ForEach(b => b.StopSupervising());
        await Task.WhenAll(supervised);

        await ReadEverythingAsync("last", clients, admin.CheckAsync, inGoodOrder: true);
        await ReadEverythingAsync("after", clients, LeftoversGoAsync, inGoodOrder: false);
        Summary = $"{History.Acknowledgements} acknowledged, {History.Reads} read, {History.Reigns} reigns, {brokers.Sum(b => b.Starts)} starts, "
            + $"{admin.Deletions} deletions of records, {admin.TopicsDeleted} of topics, {admin.Changes} changes, {_watch.Entries} journal entries let go, {_world.Steps} steps";
    }

    private async Task ReadEverythingAsync(string name, SimulatedClients clients, Func<SimulatedBroker, Task> also, bool inGoodOrder)
    {
        var broker = new SimulatedBroker(_world, name, Store, Journals);
        var process = new SimulatedProcess(_world, name);
        await broker.StartAsync(process);
        foreach (var topic in broker.Engine!.Cluster.TopicsByName.Values.Where(t => !History.IsDoomed(t.Id)).OrderBy(t => t.Name, StringComparer.Ordinal))
        {
            for (var i = 0; i < topic.Partitions.Count; i++)
            {
                var reading = clients.ReadAllAsync(broker, topic.Name, i);
                await Within(TimeSpan.FromSeconds(100), reading, "the log cannot be read");
                History.Final(await reading);
            }
        }

        await Within(TimeSpan.FromSeconds(100), also(broker), "what nobody names any more is still there");

        if (inGoodOrder)
        {
            await Within(TimeSpan.FromSeconds(100), process.CallAsync(() => broker.Engine!.StopAsync(default)), "the broker does not stop");
        }

        process.Crash();
    }

    /// <summary>The data of every dead journal goes (and its markers stay), and everything of every deleted topic.</summary>
    private async Task LeftoversGoAsync(SimulatedBroker broker)
    {
        var process = broker.Process!;
        while (true)
        {
            var journals = await process.CallAsync(() => Journals(process).ListAsync(default));
            if ((journals.Count <= 1 || !_shared)
                && !_store.Objects.Keys.Any(n => ManifestNames.PartitionOf(n) is { } partition && History.Gone.Contains(partition.TopicId)))
            {
                return;
            }

            await _world.Script.Delay(TimeSpan.FromMilliseconds(500));
        }
    }

    private async Task CreateTopicAsync(IReadOnlyList<SimulatedBroker> brokers)
    {
        while (true)
        {
            var broker = brokers[_world.Random.Next(brokers.Count)];
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

        switch (_world.Random.Next(6))
        {
            case 0:
                _world.AfterSteps(_world.Random.Next(1, 400), process.Crash);
                break;
            case 1:
                process.Pause();
                await _world.Script.Delay(_world.Between(10, 4_000));
                process.Resume();
                break;
            case 2:
                _store.CutOff(process);
                await _world.Script.Delay(_world.Between(10, 6_000));
                _store.Restore(process);
                break;
            case 3 when !_shared:
                _disk.Faults = new DiskFaults { FailedSync = 0.05 };
                await _world.Script.Delay(_world.Between(10, 500));
                _disk.Faults = DiskFaults.None;
                break;
            case 4 when !_shared:
                _disk.Capacity = _disk.Files.Values.Sum(f => (long)f.Length);
                await _world.Script.Delay(_world.Between(10, 2_000));
                _disk.Capacity = long.MaxValue;
                break;
        }
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

    /// <summary>No fault of this simulation damages what is stored: a broker that says so is wrong, or has done it.</summary>
    internal static void Listen(SimulationScheduler world, string line)
    {
        foreach (var word in (ReadOnlySpan<string>)["contradict", "should follow", "damaged", "no longer there", "Critical", "data cannot be read"])
        {
            if (line.Contains(word, StringComparison.Ordinal) && !line.Contains("Another process has begun to serve", StringComparison.Ordinal))
            {
                world.Fail($"I1 is in doubt: {line}");
            }
        }
    }
}
