using OrleansStream.Broker.Cluster;
using OrleansStream.Broker.Configuration;
using OrleansStream.Storage.Journals;
using OrleansStream.Storage.Logs;
using OrleansStream.Storage.Ports;

namespace OrleansStream.Broker.Engine;

/// <summary>What an engine stands on.</summary>
public sealed record EngineParts(RuntimePorts Ports, IObjectStore Store, IJournalSystem Journals, IChunkSource Chunks, BrokerSettings Settings)
{
    /// <summary>Bounds of hot memory and of the journal; null: taken from the settings.</summary>
    public LogOptions? Log { get; init; }

    /// <summary>Where manifests are kept; null: in the store.</summary>
    public IManifestStore? Manifests { get; init; }

    /// <summary>Who assigns partitions to this engine. Null: nobody does, it is the sole leader of everything and opens what is asked for.</summary>
    public IEngineHost? Host { get; init; }

    /// <summary>
    /// Who serves the store from now on (the cell cluster/owner): all brokers of a cluster give the same id (<see cref="OwnerId.OfCluster"/>), so that they do
    /// not take each other for strangers. Null: this process alone.
    /// </summary>
    public Guid? Owner { get; init; }

    /// <summary>How many partitions are opened at a time in the background.</summary>
    public int OpenWidth { get; init; } = 8;

    /// <summary>After how many records in a partition of __consumer_offsets another snapshot of its groups is taken: what loading has to replay.</summary>
    public int GroupSnapshotRecords { get; init; } = 100_000;

    /// <summary>How long after the start, and in the long run how often, what nobody names any more is looked for.</summary>
    public TimeSpan FirstSweep { get; init; } = TimeSpan.FromSeconds(10);
    public TimeSpan SweepEvery { get; init; } = TimeSpan.FromHours(1);

    /// <summary>How long no manifest may have listed the journal of another broker of the cluster before it is taken for a dead one's.</summary>
    public TimeSpan AbandonedAfter { get; init; } = TimeSpan.FromMinutes(10);
}
