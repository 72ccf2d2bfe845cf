using Microsoft.Extensions.Logging;
using OrleansStream.Broker.Engine;
using OrleansStream.Broker.Topics;
using OrleansStream.Hosting.Configuration;
using OrleansStream.Hosting.Data;
using OrleansStream.Storage.Ports;

namespace OrleansStream.Hosting;

/// <summary>An executable in words: its name, its engine's, what --help says first, and the settings that it alone has.</summary>
public sealed record ProgramDescription(string Name, string Engine, string Summary)
{
    public IReadOnlyList<ProcessOption> Options { get; init; } = [];

    /// <summary>Broker settings that follow from the executable's own, where they are not given.</summary>
    public Func<IReadOnlyDictionary<string, string?>, IEnumerable<KeyValuePair<string, string>>> Implied { get; init; } = static _ => [];
}

/// <summary>
/// What makes one executable differ from another: the engine that hosts the partitions. All else (settings, listeners, HTTP, data, signals) is common.
/// </summary>
public interface IEngineKind
{
    ProgramDescription Program { get; }

    /// <summary>Whether other processes work with the same data at the same time. Throws <see cref="UsageException"/> where the settings contradict that.</summary>
    bool SharesData(ProcessSettings settings);

    /// <summary>
    /// Starts the engine. Throws <see cref="UsageException"/>, <see cref="IOException"/>, <see cref="InvalidDataException"/>: the process then ends
    /// with that sentence.
    /// </summary>
    Task<IHostedEngine> StartAsync(EngineContext context, CancellationToken cancel);
}

/// <summary>What an engine gets from the process that it runs in.</summary>
public sealed record EngineContext(ProcessSettings Settings, RuntimePorts Ports, OpenedStorage Storage, IChunkSource Chunks)
{
    /// <summary>What clients are told, by listener name.</summary>
    public required IReadOnlyDictionary<string, AdvertisedAddress> Advertised { get; init; }

    public required ILoggerFactory Logs { get; init; }

    /// <summary>Ends the process, exit code 1, with a sentence on why it cannot go on. May be called at any time and more than once: the first counts.</summary>
    public required Action<string> Fail { get; init; }

    public EngineParts Parts => new(Ports, Storage.Store, Storage.Journals, Chunks, Settings.Broker);
}

/// <summary>A running engine. Disposed after it was stopped, or instead.</summary>
public interface IHostedEngine : IAsyncDisposable
{
    BrokerEngine Engine { get; }

    /// <summary>What the gateway sees of it.</summary>
    IEngine Face => Engine;

    /// <summary>Lines of its own for the banner: a word, and what it stands for.</summary>
    IReadOnlyList<KeyValuePair<string, string>> Notes { get; }

    /// <summary>Called while clients are still served: hands over to others what others can serve.</summary>
    Task LeaveAsync(CancellationToken cancel);

    /// <summary>Called when no client is served any more: makes what is in memory durable and lets go of it.</summary>
    Task StopAsync(CancellationToken cancel);
}
