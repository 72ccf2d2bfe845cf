using OrleansStream.Broker.Configuration;
using OrleansStream.Broker.Engine;
using OrleansStream.Broker.Partitions;
using OrleansStream.Broker.Topics;
using OrleansStream.Protocol;
using OrleansStream.Simulation.Kit;
using OrleansStream.Storage.Journals;
using OrleansStream.Storage.Logs;
using OrleansStream.Storage.Ports;
using OrleansStream.TestSupport;

namespace OrleansStream.Simulation;

/// <summary>One broker and its supervisor: whenever the process crashes or ends, another is started over the same store and disk.</summary>
/// <param name="equip">Makes it a broker of a cluster; without it, it is alone.</param>
internal sealed class SimulatedBroker(
    SimulationScheduler world, string name, Func<SimulatedProcess, IObjectStore> store, Func<SimulatedProcess, IJournalSystem> journals,
    Func<SimulatedProcess, EngineParts, EngineParts>? equip = null)
{
    private static readonly BrokerSettings s_settings = BrokerSettingsParser.Parse([new("log.retention.check.interval.ms", "1000")]).Settings;
    private int _generation;
    private bool _stopping;

    public SimulatedProcess? Process { get; private set; }

    /// <summary>Null while no process serves.</summary>
    public BrokerEngine? Engine { get; private set; }

    public int Starts => _generation;

    /// <summary>Small bounds, so that a short run seals, evicts and trims.</summary>
    public static LogOptions LogOptions { get; } = new()
    {
        MemoryBudgetBytes = 4 << 20, WarmBytes = 0, SealTargetBytes = 4 << 10, JournalMaxAgeMs = 3_000, JournalMaxBytes = 64 << 10, SealerTickMs = 200,
        RetryMs = 20, MaxRetryMs = 1_000, ReadCacheBytes = 1 << 20,
    };

    public async Task SuperviseAsync()
    {
        while (!_stopping)
        {
            var process = Process = new SimulatedProcess(world, $"{name}.{++_generation}", world.Between(-500, 500));
            try
            {
                await StartAsync(process);
                await process.CallAsync(async () => await Engine!.Ended);
            }
            catch (ProcessCrashedException)
            {
                // Started again below.
            }
            catch (IOException e) when (e is not JournalCorruptException)
            {
                world.Logs.Add(world.NowTicks, process.Name, $"does not start: {e.Message}");
            }

            Engine = null;
            process.Crash();
            await world.Script.Delay(world.Between(10, 1500));
        }
    }

    public void StopSupervising()
    {
        _stopping = true;
        Process?.Crash();
    }

    /// <summary>Starts one engine, without a supervisor.</summary>
    public async Task StartAsync(SimulatedProcess process)
    {
        Process = process;
        var parts = new EngineParts(process.Ports, store(process), journals(process), new ArrayChunkSource(), s_settings)
        {
            Log = LogOptions, FirstSweep = TimeSpan.FromSeconds(3), SweepEvery = TimeSpan.FromSeconds(5),
        };
        parts = equip?.Invoke(process, parts) ?? parts;
        var listeners = new Dictionary<string, AdvertisedAddress> { ["PLAINTEXT"] = new(name, 9092) };
        Engine = await process.CallAsync(() => BrokerEngine.StartAsync(parts, listeners, default));
    }

    /// <summary>Runs a call against a partition inside the broker's process; the lease's error, or what the call answered.</summary>
    public async Task<(ErrorCode Error, T? Answer)> WithPartitionAsync<T>(string topic, int index, Func<IPartition, ValueTask<T>> call)
    {
        if (Engine is not { } engine || Process is not { Alive: true } process)
        {
            return (ErrorCode.BrokerNotAvailable, default);
        }

        return await process.CallAsync<(ErrorCode, T?)>(async () =>
        {
            if (!engine.Cluster.TopicsByName.TryGetValue(topic, out var picture))
            {
                return (ErrorCode.UnknownTopicOrPartition, default);
            }

            var lease = await engine.GetPartitionAsync(picture, index, default);
            return lease.Error != ErrorCode.None ? (lease.Error, default) : (ErrorCode.None, await call(lease.Partition!));
        });
    }
}
