using OrleansStream.Broker.Topics;
using OrleansStream.Protocol;
using OrleansStream.Simulation.Kit;
using OrleansStream.Storage.Journals;
using OrleansStream.Storage.Journals.Blob;

namespace OrleansStream.Simulation;

/// <summary>One world of one seed: a faulty store with brokers over it, and the history that the invariants are checked on.</summary>
internal abstract class Scenario
{
    protected const string Topic = "t";

    /// <param name="mutation">What is broken on purpose.</param>
    protected Scenario(int seed, Mutation? mutation)
    {
        World = new SimulationScheduler(seed) { AwaitsThreadPool = true };
        Mutation = mutation;
        Store = new SimulatedObjectStore(World);
        History = new History(World);
        Watch = new DeletionWatch(Store, History);
        Store.Deleting = Watch.ObjectGoes;
        World.Logs.OnLine = Listen;
    }

    public History History { get; }
    public ulong Digest => World.Digest;
    public string Summary { get; protected set; } = "";

    protected SimulationScheduler World { get; }
    protected SimulatedObjectStore Store { get; }
    protected DeletionWatch Watch { get; }
    protected Mutation? Mutation { get; }

    public void Run() => World.Run(RunAsync);

    protected abstract Task RunAsync();

    protected IJournalSystem BlobJournals(SimulatedProcess process)
    {
        var store = Store.Connect(process);
        return Mutated(new BlobJournalSystem(Mutation?.Store(store) ?? store, process.Ports, new BlobJournalOptions { MaxObjectBytes = 16 << 10 }), process);
    }

    protected IJournalSystem Mutated(IJournalSystem journals, SimulatedProcess process) => Mutation?.Journals(journals, process) ?? journals;

    /// <summary>Asks one broker after another until the topic is there.</summary>
    protected async Task CreateTopicAsync(IReadOnlyList<SimulatedBroker> brokers, int partitions)
    {
        while (true)
        {
            var broker = brokers[World.Random.Next(brokers.Count)];
            if (broker.Engine is { } engine && broker.Process is { Alive: true } process)
            {
                var topic = new NewTopic(Topic, partitions, 1, [], new Dictionary<string, string?>());
                var outcome = await process.CallAsync(() => engine.Topics.CreateAsync(topic, false, default));
                if (outcome.Error.Code is ErrorCode.None or ErrorCode.TopicAlreadyExists)
                {
                    return;
                }
            }

            await World.Script.Delay(TimeSpan.FromMilliseconds(50));
        }
    }

    /// <summary>What may happen to any process: 0 is a crash, 1 a pause, 2 a cut from the store; any other number is nothing.</summary>
    /// <param name="badTime">What goes on during a pause or a cut of this length; it is over when the task is.</param>
    protected async Task DisturbAsync(SimulatedProcess process, int how, Func<TimeSpan, Task> badTime)
    {
        switch (how)
        {
            case 0:
                World.AfterSteps(World.Random.Next(1, 400), process.Crash);
                break;
            case 1:
                process.Pause();
                await badTime(World.Between(10, 4_000));
                process.Resume();
                break;
            case 2:
                Store.CutOff(process);
                await badTime(World.Between(10, 6_000));
                Store.Restore(process);
                break;
        }
    }

    /// <summary>After the last fault, writers and readers come to an end by themselves.</summary>
    protected async Task EndAsync(List<Task> writing, List<Task> reading)
    {
        await WithinAsync(TimeSpan.FromSeconds(200), Task.WhenAll(writing), "the producers still wait for an acknowledgement");
        await WithinAsync(TimeSpan.FromSeconds(200), Task.WhenAll(reading), "the readers or the administrator still wait for an answer");
    }

    /// <summary>Starts a broker alone, reads partitions of its into the history, and ends it in good order or by a crash.</summary>
    protected async Task ReadEverythingAsync(
        SimulatedBroker broker, SimulatedProcess process, SimulatedClients clients,
        Func<IEnumerable<(string Topic, int Partition)>> partitions, bool inGoodOrder, Func<Task>? also = null)
    {
        await broker.StartAsync(process);
        foreach (var (topic, partition) in partitions())
        {
            var reading = clients.ReadAllAsync(broker, topic, partition);
            await WithinAsync(TimeSpan.FromSeconds(100), reading, "the log cannot be read");
            History.Final(await reading);
        }

        if (also is not null)
        {
            await also();
        }

        if (inGoodOrder)
        {
            await WithinAsync(TimeSpan.FromSeconds(100), process.CallAsync(() => broker.Engine!.StopAsync(default)), "the broker does not stop");
        }

        process.Crash();
    }

    protected async Task WithinAsync(TimeSpan limit, Task work, string otherwise)
    {
        var timeout = World.Script.Delay(limit);
        if (await Task.WhenAny(work, timeout) != work)
        {
            World.Fail($"liveness: {limit.TotalSeconds} s after the last fault, {otherwise}");
        }

        await work;
    }

    /// <summary>No fault of this simulation damages what is stored: a broker that says so is wrong, or has done it.</summary>
    private void Listen(string line)
    {
        foreach (var word in (ReadOnlySpan<string>)["contradict", "should follow", "damaged", "no longer there", "Critical", "data cannot be read"])
        {
            if (line.Contains(word, StringComparison.Ordinal) && !line.Contains("Another process has begun to serve", StringComparison.Ordinal))
            {
                World.Fail($"I1 is in doubt: {line}");
            }
        }
    }
}
