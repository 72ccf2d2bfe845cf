using OrleansStream.Simulation.Kit;
using OrleansStream.Storage.Journals;
using OrleansStream.Storage.Journals.Disk;
using OrleansStream.Storage.Logs;
using OrleansStream.Storage.Ports;

namespace OrleansStream.Simulation;

/// <summary>
/// Real brokers over a faulty store (and disk), clients that write and read, and a hand that crashes, pauses and cuts off. Two brokers on a shared store take
/// the partitions from each other; over a disk there is one at a time. In the end all faults stop, a last broker reads everything, ends in good
/// order, and another reads everything again.
/// </summary>
/// <remarks>Groups have a scenario of their own (<see cref="GroupScenario"/>). Not covered yet: transactions.</remarks>
internal sealed class BrokerScenario : Scenario
{
    private static readonly TimeSpan s_length = TimeSpan.FromSeconds(12);
    private readonly bool _shared;
    private readonly SimulatedDisk _disk;
    private readonly int _partitions;

    public BrokerScenario(int seed, Mutation? mutation = null)
        : base(seed, mutation)
    {
        _shared = seed % 3 != 0;
        _disk = new SimulatedDisk(World);
        _disk.Going = (name, content) => Watch.FileGoes(_disk, name, content);
        _partitions = World.Random.Next(1, 4);
    }

    private IJournalSystem Journals(SimulatedProcess process) => _shared
        ? BlobJournals(process)
        : Mutated(
            new DiskJournalSystem(_disk.Mount(process), process.Ports, new DiskJournalOptions
            {
                FileBytes = 32 << 10, MaxCommitBytes = 16 << 10, MaxBytes = 512 << 10, ZeroedAhead = 2,
            }),
            process);

    private IObjectStore ObjectStore(SimulatedProcess process)
    {
        var store = Store.Connect(process);
        return Mutation?.Manifests(store) ?? store;
    }

    protected override async Task RunAsync()
    {
        var brokers = Enumerable.Range(0, _shared ? 2 : 1).Select(i => new SimulatedBroker(World, $"broker{i}", ObjectStore, Journals)).ToList();
        var supervised = brokers.Select(b => b.SuperviseAsync()).ToList();
        await CreateTopicAsync(brokers, _partitions);
        var clients = new SimulatedClients(World, History, brokers, Topic, _partitions);
        var writing = new List<Task>();
        var reading = new List<Task>();
        for (var i = 0; i < _partitions; i++)
        {
            writing.Add(clients.ProduceSafelyAsync(i));
            writing.Add(clients.ProduceSafelyAsync(i));
            reading.Add(clients.ProduceLooselyAsync(i));
            reading.Add(clients.ReadAsync());
        }

        var admin = new SimulatedAdmin(World, History, clients, Topic, _partitions);
        reading.Add(admin.ActAsync());
        Store.Faults = World.Chance(0.7) ? StoreFaults.Some : StoreFaults.None;
        var end = World.NowTicks + s_length.Ticks;
        while (World.NowTicks < end)
        {
            await World.Script.Delay(World.Between(100, 3_000));
            await DisturbAsync(brokers[World.Random.Next(brokers.Count)]);
        }

        // All faults end, and everything must come to an end by itself.
        Store.Faults = StoreFaults.None;
        _disk.Faults = DiskFaults.None;
        clients.Stopping = admin.Stopping = true;
        await EndAsync(writing, reading);
        brokers.ForEach(b => b.StopSupervising());
        await Task.WhenAll(supervised);

        await ReadEverythingAsync("last", clients, admin.CheckAsync, inGoodOrder: true);
        await ReadEverythingAsync("after", clients, LeftoversGoAsync, inGoodOrder: false);
        Summary = $"{History.Acknowledgements} acknowledged, {History.Reads} read, {History.Reigns} reigns, {brokers.Sum(b => b.Starts)} starts, "
            + $"{admin.Deletions} deletions of records, {admin.TopicsDeleted} of topics, {admin.Changes} changes, {Watch.Entries} journal entries let go, {World.Steps} steps";
    }

    private async Task ReadEverythingAsync(string name, SimulatedClients clients, Func<SimulatedBroker, Task> also, bool inGoodOrder)
    {
        var broker = new SimulatedBroker(World, name, ObjectStore, Journals);
        await ReadEverythingAsync(
            broker, new SimulatedProcess(World, name), clients,
            () => broker.Engine!.Cluster.TopicsByName.Values.Where(t => !History.IsDoomed(t.Id)).OrderBy(t => t.Name, StringComparer.Ordinal)
                .SelectMany(t => Enumerable.Range(0, t.Partitions.Count).Select(i => (t.Name, i))),
            inGoodOrder,
            () => WithinAsync(TimeSpan.FromSeconds(100), also(broker), "what nobody names any more is still there"));
    }

    /// <summary>The data of every dead journal goes (and its markers stay), and everything of every deleted topic.</summary>
    private async Task LeftoversGoAsync(SimulatedBroker broker)
    {
        var process = broker.Process!;
        while (true)
        {
            var journals = await process.CallAsync(() => Journals(process).ListAsync(default));
            if ((journals.Count <= 1 || !_shared)
                && !Store.Objects.Keys.Any(n => ManifestNames.PartitionOf(n) is { } partition && History.Gone.Contains(partition.TopicId)))
            {
                return;
            }

            await World.Script.Delay(TimeSpan.FromMilliseconds(500));
        }
    }

    private async Task DisturbAsync(SimulatedBroker broker)
    {
        if (broker.Process is not { Alive: true } process)
        {
            return;
        }

        var how = World.Random.Next(6);
        switch (how)
        {
            case 3 when !_shared:
                _disk.Faults = new DiskFaults { FailedSync = 0.05 };
                await World.Script.Delay(World.Between(10, 500));
                _disk.Faults = DiskFaults.None;
                break;
            case 4 when !_shared:
                _disk.Capacity = _disk.Files.Values.Sum(f => (long)f.Length);
                await World.Script.Delay(World.Between(10, 2_000));
                _disk.Capacity = long.MaxValue;
                break;
            default:
                await DisturbAsync(process, how, World.Script.Delay);
                break;
        }
    }
}
