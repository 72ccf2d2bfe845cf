using System.Collections.Concurrent;
using Microsoft.Extensions.Logging;
using OrleansStream.Broker.Configuration;
using OrleansStream.Broker.Partitions;
using OrleansStream.Broker.Topics;
using OrleansStream.Protocol;
using OrleansStream.Storage;
using OrleansStream.Storage.Journals;
using OrleansStream.Storage.Logs;
using OrleansStream.Storage.Ports;

namespace OrleansStream.Broker.Engine;

/// <summary>What an engine stands on.</summary>
public sealed record EngineParts(RuntimePorts Ports, IObjectStore Store, IJournalSystem Journals, IChunkSource Chunks, BrokerSettings Settings)
{
    /// <summary>Bounds of hot memory and of the journal; null: taken from the settings.</summary>
    public LogOptions? Log { get; init; }

    /// <summary>How many partitions are opened at a time in the background.</summary>
    public int OpenWidth { get; init; } = 8;

    /// <summary>How long after the start, and how often, what nobody names any more is looked for.</summary>
    public TimeSpan FirstSweep { get; init; } = TimeSpan.FromMinutes(1);
    public TimeSpan SweepEvery { get; init; } = TimeSpan.FromHours(1);
}

/// <summary>
/// The engine of one process that leads every partition. Metadata is answered as soon as it is started; a partition is opened when it is first asked for,
/// and all of them in the background where an earlier process left a journal, so that its data is sealed and the journal can go.
/// <para>
/// A partition whose journal ended is taken again under a higher leader epoch, while the one that stepped down goes on answering reads. If that was because
/// another process has begun to serve the same store, <see cref="Ended"/> completes: this process should exit and say so.
/// </para>
/// </summary>
public sealed class BrokerEngine : IEngine, IAsyncDisposable
{
    private static readonly TimeSpan ListRetryDelay = TimeSpan.FromSeconds(1);

    private readonly EngineParts _parts;
    private readonly RuntimePorts _ports;
    private readonly ILogger _log;
    private readonly ClusterIdentity _identity;
    private readonly TopicCatalogue _catalogue;
    private readonly ConfigStore _configs;
    private readonly ClusterView _view;
    private readonly LogHost _host;
    private readonly ProducerIds _producerIds;
    private readonly OpenQueue _queue;
    private readonly TopicRemoval _removal;
    private readonly CancellationTokenSource _stopping;
    private readonly ConcurrentDictionary<PartitionId, PartitionSlot> _slots = new();
    private readonly TaskCompletionSource<string> _ended = new(TaskCreationOptions.RunContinuationsAsynchronously);

    private BrokerEngine(
        EngineParts parts, ClusterIdentity identity, TopicCatalogue catalogue, ConfigStore configs, LogHost host,
        IReadOnlyDictionary<string, AdvertisedAddress> listeners, CancellationTokenSource stopping)
    {
        _parts = parts;
        _ports = parts.Ports;
        _log = _ports.Logs.CreateLogger<BrokerEngine>();
        _identity = identity;
        _catalogue = catalogue;
        _configs = configs;
        _host = host;
        _stopping = stopping;
        _producerIds = new ProducerIds(parts.Store, _ports);
        _queue = new OpenQueue(_ports, parts.OpenWidth, OpenInBackgroundAsync, stopping.Token);
        _removal = new TopicRemoval(catalogue, _ports, RemovePartitionAsync, stopping.Token);
        _view = new ClusterView(catalogue, configs, _ports, identity.ClusterId, [Me(listeners)], LeaderEpochOf) { Redrawn = Redrawn };
        Topics = new TopicAdmin(catalogue, _view, configs, _ports);
    }

    public ClusterPicture Cluster => _view.Current;
    public ITopicAdmin Topics { get; }

    /// <summary>The settings in force, with what was set while the cluster ran.</summary>
    public BrokerSettings Settings => _configs.Settings;

    /// <summary>Completes with a sentence when this process should exit: another one serves the store now, or a journal is corrupt.</summary>
    public Task<string> Ended => _ended.Task;

    /// <summary>Completes when everything that an earlier process left in its journal is served again.</summary>
    public Task Recovered { get; private set; } = Task.CompletedTask;

    public int OpenPartitions => _slots.Values.Count(s => s.Partition is not null);

    /// <summary>
    /// Loads the catalogue, opens a journal and is ready to serve. Throws <see cref="StoreUnavailableException"/>, <see cref="UnsupportedFormatException"/>,
    /// <see cref="JournalCorruptException"/> or <see cref="InvalidDataException"/>: then the process does not start, saying why.
    /// </summary>
    /// <param name="listeners">The addresses that clients are told, by listener name; <see cref="Advertise"/> changes them.</param>
    public static async ValueTask<BrokerEngine> StartAsync(
        EngineParts parts, IReadOnlyDictionary<string, AdvertisedAddress> listeners, CancellationToken cancel)
    {
        var (ports, store, settings) = (parts.Ports, parts.Store, parts.Settings);
        var stopping = new CancellationTokenSource();
        var identity = await ClusterIdentity.TakeAsync(store, ports, settings.NodeId, cancel);
        var loadingTopics = TopicCatalogue.LoadAsync(store, ports, onlyWriter: !parts.Journals.Shared, stopping.Token, cancel).AsTask();
        var loadingConfigs = ConfigStore.LoadAsync(store, ports, settings, cancel).AsTask();
        var host = new LogHost(ports, store, parts.Journals, parts.Chunks, parts.Log ?? LogOptionsOf(settings));
        await Task.WhenAll(loadingTopics, loadingConfigs, host.StartAsync(cancel).AsTask());
        var engine = new BrokerEngine(parts, identity, await loadingTopics, await loadingConfigs, host, listeners, stopping);
        await engine.BeginAsync(cancel);
        return engine;
    }

    private static LogOptions LogOptionsOf(BrokerSettings settings) => new()
    {
        MemoryBudgetBytes = settings.MemoryBudgetBytes,
        JournalMaxAgeMs = settings.JournalMaxAgeMs,
        JournalMaxBytes = settings.JournalMaxBytes,
        ReadCacheBytes = settings.ReadCacheBytes,
        // A disk journal belongs to one locked folder; who has a container to himself, nobody can know.
        OnlyProcess = !settings.BlobJournal,
    };

    private async ValueTask BeginAsync(CancellationToken cancel)
    {
        _removal.Kick();
        // A shared store may list thousands of journal objects: clients need not wait for that.
        Recovered = _parts.Journals.Shared ? RecoverSharedAsync() : Retake(await _parts.Journals.ListAsync(cancel));
        _ports.Scheduler.Start("retention", RetainAsync);
        _ports.Scheduler.Start("housekeeping", () => new Housekeeping(_parts, _host, _catalogue, _stopping.Token).RunAsync());
    }

    private async Task RecoverSharedAsync()
    {
        for (var delay = TimeSpan.Zero; ; delay = ListRetryDelay)
        {
            try
            {
                await Task.Delay(delay, _ports.Time, _stopping.Token);
                await Retake(await _parts.Journals.ListAsync(_stopping.Token));
                return;
            }
            catch (OperationCanceledException) when (_stopping.IsCancellationRequested)
            {
                return;
            }
            catch (IOException e)
            {
                _log.LogWarning("The journals in the store cannot be listed; trying again: {Reason}", e.Message);
            }
        }
    }

    /// <summary>Opens everything where an earlier process has left a journal: which partitions it holds, only opening them tells.</summary>
    private Task Retake(IReadOnlyList<Guid> journals)
    {
        // The journal that was just opened is one of them.
        if (journals.All(id => id == _host.JournalId))
            return Task.CompletedTask;
        foreach (var (name, topic) in _catalogue.Topics())
            OpenAll(name, topic.Id, topic.Partitions);
        return _queue.IdleAsync();
    }

    /// <summary>
    /// Every log.retention.check.interval.ms, what is too old or too much goes. A partition that nobody uses has old records too: it is opened for this, and
    /// looked at the next time.
    /// </summary>
    private async Task RetainAsync()
    {
        while (true)
        {
            try
            {
                await Task.Delay(TimeSpan.FromMilliseconds(Settings.RetentionCheckIntervalMs), _ports.Time, _stopping.Token);
                foreach (var topic in Cluster.TopicsByName.Values.OrderBy(t => t.Name, StringComparer.Ordinal))
                {
                    if (!topic.Config.CleanupDelete || (topic.Config.RetentionMs < 0 && topic.Config.RetentionBytes < 0))
                        continue;
                    for (var i = 0; i < topic.Partitions.Count; i++)
                    {
                        if (_slots.TryGetValue(new PartitionId(topic.Id, i), out var slot) && slot.Partition is { } partition)
                            await partition.ApplyRetentionAsync(_stopping.Token);
                    }
                    OpenAll(topic.Name, topic.Id, topic.Partitions.Count);
                }
            }
            catch (OperationCanceledException) when (_stopping.IsCancellationRequested)
            {
                return;
            }
            catch (IOException e)
            {
                _log.LogWarning("Retention did not finish and goes on at the next check: {Reason}", e.Message);
            }
        }
    }

    /// <summary>The addresses that clients are told from now on, by listener name.</summary>
    public void Advertise(IReadOnlyDictionary<string, AdvertisedAddress> listeners) => _view.Advertise(Me(listeners));

    private BrokerPicture Me(IReadOnlyDictionary<string, AdvertisedAddress> listeners) => new(_parts.Settings.NodeId, _parts.Settings.Rack, listeners);

    public ValueTask<PartitionLease> GetPartitionAsync(TopicPicture topic, int index, CancellationToken cancel)
    {
        if (_slots.TryGetValue(new PartitionId(topic.Id, index), out var slot) && slot.Partition is { } partition)
            return new ValueTask<PartitionLease>(new PartitionLease(ErrorCode.None, partition));
        return OpenAsync(topic.Name, topic.Id, index, cancel);
    }

    private async ValueTask<PartitionLease> OpenAsync(string topic, Guid topicId, int index, CancellationToken cancel)
    {
        if (_stopping.IsCancellationRequested)
            return new PartitionLease(ErrorCode.NotLeaderOrFollower, null);
        if (SlotOf(topic, topicId, index) is not { } slot)
            return new PartitionLease(ErrorCode.UnknownTopicOrPartition, null);
        var opening = slot.Join(_ports.NowMilliseconds, again: false, out var begin);
        if (begin)
            _ports.Scheduler.Start("open partition", () => TryOpenAsync(slot));
        return await opening.Inline().WaitAsync(cancel);
    }

    /// <summary>The slot of a partition that exists; null for any other.</summary>
    private PartitionSlot? SlotOf(string topic, Guid topicId, int index)
    {
        var id = new PartitionId(topicId, index);
        var slot = _slots.GetOrAdd(id, static (key, name) => new PartitionSlot(key, name), topic);
        // Looked at after the slot is there: a deletion that comes later finds the slot.
        if (index >= 0 && _catalogue.Find(topic) is { } live && live.Id == topicId && index < live.Partitions)
            return slot;
        if (slot.Partition is null)
            _slots.TryRemove(id, out _);
        return null;
    }

    public void Touch(TopicPicture topic) => OpenAll(topic.Name, topic.Id, topic.Partitions.Count);

    private void OpenAll(string name, Guid topicId, int partitions)
    {
        for (var i = 0; i < partitions; i++)
        {
            if (_slots.TryGetValue(new PartitionId(topicId, i), out var there) && there.Partition is not null)
                continue;
            if (SlotOf(name, topicId, i) is { } slot)
                _queue.Add(slot, again: false);
        }
    }

    /// <summary>One try for the queue: how long to wait before the next, null when there is no more to do.</summary>
    private async Task<long?> OpenInBackgroundAsync(PartitionSlot slot, bool again)
    {
        if (again && _parts.Journals.Shared && !await MayTakeAgainAsync())
            return null;
        var opening = slot.Join(_ports.NowMilliseconds, again, out var begin);
        if (begin)
            return await TryOpenAsync(slot);
        // Too soon after a failure, or somebody else is opening it: what that comes to is seen at the next look.
        return (await opening).Error == ErrorCode.KafkaStorageError ? 100 : null;
    }

    /// <summary>Opens the partition of a slot whose opening the caller began.</summary>
    private async Task<long?> TryOpenAsync(PartitionSlot slot)
    {
        try
        {
            if (_catalogue.Find(slot.Topic) is not { } topic || topic.Id != slot.Id.TopicId)
            {
                slot.Failed(ErrorCode.UnknownTopicOrPartition, _ports.NowMilliseconds);
                return null;
            }
            var config = TopicConfigDefinitions.Build(topic.Configs, _configs.Settings.Layers);
            var options = new PartitionOptions { ProducerIdExpirationMs = () => _configs.Settings.ProducerIdExpirationMs };
            slot.Opened(await Partition.OpenAsync(_host, _ports, slot.Id, config, topic.ReplicationFactor, options, _stopping.Token), config, topic.ReplicationFactor);
            var partition = slot.Partition!;
            _ports.Scheduler.Start("watch partition", () => WatchAsync(slot, partition));
            // The picture shows its leader epoch; and a configuration that changed meanwhile is told to it then.
            _view.TopicChanged(slot.Topic);
            return null;
        }
        catch (OperationCanceledException) when (_stopping.IsCancellationRequested)
        {
            slot.Failed(ErrorCode.NotLeaderOrFollower, _ports.NowMilliseconds);
            return null;
        }
        catch (JournalCorruptException e)
        {
            End(e.Message);
            return slot.Failed(ErrorCode.KafkaStorageError, _ports.NowMilliseconds);
        }
        catch (IOException e)
        {
            _log.LogWarning("Partition {Topic}-{Index} cannot be opened now: {Reason}", slot.Topic, slot.Id.Index, e.Message);
            return slot.Failed(ErrorCode.KafkaStorageError, _ports.NowMilliseconds);
        }
    }

    private async Task WatchAsync(PartitionSlot slot, Partition partition)
    {
        await partition.SteppedDown;
        if (!_stopping.IsCancellationRequested && !slot.Removed)
            _queue.Add(slot, again: true);
    }

    /// <summary>False where another process has begun to serve this store: to take partitions from it would only start a fight.</summary>
    private async ValueTask<bool> MayTakeAgainAsync()
    {
        try
        {
            if (await _identity.IsStillMineAsync(_stopping.Token))
                return true;
            End("Another process has begun to serve this store; this one was fenced.");
            return false;
        }
        catch (StoreUnavailableException)
        {
            // Opening will fail as well, and be tried again.
            return true;
        }
    }

    private void End(string sentence)
    {
        if (_ended.TrySetResult(sentence))
            _log.LogCritical("This process cannot go on: {Sentence}", sentence);
    }

    private int LeaderEpochOf(Guid topicId, int index) =>
        _slots.TryGetValue(new PartitionId(topicId, index), out var slot) && slot.Partition is { } partition ? partition.LeaderEpoch : -1;

    /// <summary>A topic has a new picture: its open partitions are told, and where it is gone its data is removed.</summary>
    private void Redrawn(string name, TopicPicture? topic)
    {
        for (var i = 0; i < (topic?.Partitions.Count ?? 0); i++)
        {
            if (_slots.TryGetValue(new PartitionId(topic!.Id, i), out var slot))
                slot.Configure(topic.Config, topic.ReplicationFactor);
        }
        if (_catalogue.HasDoomed(name))
            _removal.Kick();
    }

    private async ValueTask RemovePartitionAsync(PartitionId id, CancellationToken cancel)
    {
        if (_slots.TryRemove(id, out var slot))
            await slot.RemoveAsync();
        await _host.DeleteAsync(id, cancel);
    }

    public ValueTask<long> NextProducerIdAsync(CancellationToken cancel) => _producerIds.NextAsync(cancel);

    public ValueTask<int> AdmitAsync(int bytes, CancellationToken cancel) => _host.Memory.AdmitAsync(bytes, cancel);

    /// <summary>
    /// Takes no more appends, seals everything and closes the journal, so that the next start replays nothing. When cancelled, what is not sealed yet stays
    /// in the journal and is replayed.
    /// </summary>
    public async ValueTask StopAsync(CancellationToken cancel)
    {
        _stopping.Cancel();
        await _queue.IdleAsync();
        await _removal.IdleAsync();
        await _host.ShutdownAsync(cancel);
    }

    /// <summary>Ends without sealing; what is in the journal is replayed by the next start.</summary>
    public async ValueTask DisposeAsync()
    {
        _stopping.Cancel();
        await _host.DisposeAsync();
        _stopping.Dispose();
    }
}
