using Microsoft.Extensions.Logging;
using OrleansStream.Broker.Cluster;
using OrleansStream.Broker.Configuration;
using OrleansStream.Broker.Groups;
using OrleansStream.Broker.Groups.Admin;
using OrleansStream.Broker.Groups.Snapshots;
using OrleansStream.Broker.Topics;
using OrleansStream.Protocol;
using OrleansStream.Storage;
using OrleansStream.Storage.Journals;
using OrleansStream.Storage.Logs;
using OrleansStream.Storage.Ports;

namespace OrleansStream.Broker.Engine;

/// <summary>
/// The engine of one broker process. Without a host it is the sole leader: metadata is answered as soon as it is started; a partition is opened when it is first
/// asked for, and all of them in the background where an earlier process left a journal, so that its data is sealed and the journal can go. In a cluster its
/// host tells it who leads what (<see cref="Assign"/>) and when to begin and to end (<see cref="LeadAsync"/>, <see cref="ReleaseAsync"/>).
/// <para>
/// A partition whose journal ended is taken again under a higher leader epoch, while the one that stepped down goes on answering reads. If that was because
/// somebody else has begun to serve the same store, <see cref="Ended"/> completes: this process should exit and say so.
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
    private readonly Leadership _leadership;
    private readonly PartitionSlots _slots;
    private readonly ClusterView _view;
    private readonly LogHost _host;
    private readonly ProducerIds _producerIds;
    private readonly TopicRemoval _removal;
    private readonly OwnerWatch _owner;
    private readonly GroupCoordinator _groups;
    private readonly CancellationTokenSource _stopping;
    private BrokerPicture _me;
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
        _groups = new GroupCoordinator(_ports, this, () => Settings, id => _configs.Stored.Of(ConfigResourceType.Group, id),
            new SnapshotStore(parts.Store, _ports.Logs, parts.GroupSnapshotRecords));
        GroupAdmin = new GroupAdmin(_groups, this);
        _producerIds = new ProducerIds(parts.Store, _ports);
        _me = Picture(listeners);
        _leadership = new Leadership(parts.Settings.NodeId, parts.Host is null ? ClusterAssignment.Sole(_me) : ClusterAssignment.Unknown(_me));
        _owner = new OwnerWatch(identity, _ports, parts.Journals.Shared, End, stopping.Token);
        _slots = new PartitionSlots(parts, _leadership, catalogue, configs, host, stopping.Token)
        {
            EpochChanged = name => _view!.TopicChanged(name), Corrupt = End, MayOpenAsync = _owner.MayOpenAsync, MayTakeAgainAsync = MayTakeAgainAsync,
        };
        _removal = new TopicRemoval(catalogue, _ports, RemovePartitionAsync, stopping.Token);
        _view = new ClusterView(catalogue, configs, _ports, identity.ClusterId, _leadership, id => _slots.Find(id)?.LeaderEpoch ?? -1) { Redrawn = Redrawn };
        Topics = new TopicAdmin(catalogue, _view, configs, _ports);
    }

    public ClusterPicture Cluster => _view.Current;

    /// <summary>Kafka's rules over this store, carried out here. In a cluster, whoever changes a topic tells the other brokers' engines.</summary>
    public ITopicAdmin Topics { get; }
    public IGroupCoordinator Groups => _groups;

    /// <summary>What administrators ask of the groups that are coordinated here.</summary>
    public GroupAdmin GroupAdmin { get; }

    /// <summary>The newest assignment that this engine was told; shown by <see cref="Cluster"/> once <see cref="PublishedAsync"/> completes.</summary>
    public ClusterAssignment Assignment => _leadership.Current;

    /// <summary>Completes when an assignment was told that is newer than this version; a repetition of it may complete it, too.</summary>
    public Task AssignedAfterAsync(long version) => _leadership.AfterAsync(version);

    /// <summary>The settings in force, with what was set while the cluster ran.</summary>
    public BrokerSettings Settings => _configs.Settings;

    /// <summary>Completes with a sentence when this process should exit: another one serves the store now, a journal is corrupt, or a newer
    /// version of this program has written what this one should read.</summary>
    public Task<string> Ended => _ended.Task;

    /// <summary>Completes when everything that an earlier process left in its journal is served again; at once where a host decides what is opened.</summary>
    public Task Recovered { get; private set; } = Task.CompletedTask;

    /// <summary>This broker, with the addresses that it advertises.</summary>
    public BrokerPicture Me => Volatile.Read(ref _me);

    public int OpenPartitions => _slots.Open;

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
        var identity = await ClusterIdentity.TakeAsync(store, ports, settings.NodeId, parts.Owner, cancel);
        var loadingTopics = TopicCatalogue.LoadAsync(store, ports, onlyWriter: !parts.Journals.Shared, stopping.Token, cancel).AsTask();
        var loadingConfigs = ConfigStore.LoadAsync(store, ports, settings, cancel).AsTask();
        var host = new LogHost(ports, store, parts.Journals, parts.Chunks, parts.Log ?? LogOptionsOf(settings), parts.Manifests);
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
        JournalMaxObjects = settings.JournalMaxObjects,
        ReadCacheBytes = settings.ReadCacheBytes,
    };

    private async ValueTask BeginAsync(CancellationToken cancel)
    {
        if (_leadership.IsController)
            _removal.Kick();
        // A shared store may list thousands of journal objects: clients need not wait for that.
        if (_parts.Host is null)
            Recovered = _parts.Journals.Shared ? RecoverSharedAsync() : Retake(await _parts.Journals.ListAsync(cancel));
        if (_parts.Journals.Shared)
            _ports.Scheduler.Start("owner watch", _owner.RunAsync);
        _ports.Scheduler.Start(
            "retention", new RetentionWork(_parts, _slots, () => Cluster, () => Settings.RetentionCheckIntervalMs, _stopping.Token).RunAsync);
        _ports.Scheduler.Start(
            "housekeeping", new Housekeeping(_parts, _host, _catalogue, () => _leadership.IsController, _identity.IsStillMineAsync, _stopping.Token).RunAsync);
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
            _slots.OpenAll(name, topic.Id, topic.Partitions);
        return _slots.IdleAsync();
    }

    /// <summary>The addresses that clients of this broker are told from now on, by listener name; in a cluster, until the next assignment.</summary>
    public void Advertise(IReadOnlyDictionary<string, AdvertisedAddress> listeners)
    {
        var me = Picture(listeners);
        Volatile.Write(ref _me, me);
        Assign(Assignment with { Brokers = [.. Assignment.Brokers.Select(b => b.NodeId == me.NodeId ? me : b)] });
    }

    private BrokerPicture Picture(IReadOnlyDictionary<string, AdvertisedAddress> listeners) => new(_parts.Settings.NodeId, _parts.Settings.Rack, listeners);

    /// <summary>
    /// Who leads what from now on. It moves nothing by itself: a partition that is open here goes on serving until <see cref="ReleaseAsync"/>, one that is
    /// assigned here is opened by <see cref="LeadAsync"/>, and requests for it wait until then. Older assignments than the one that is known are ignored.
    /// </summary>
    public void Assign(ClusterAssignment assignment)
    {
        if (_leadership.Assign(assignment) is not { } before)
            return;
        _slots.Reassigned();
        _view.BrokersChanged();
        _view.TopicsChanged(ClusterAssignment.Differences(before, assignment));
        if (_leadership.IsController && before.ControllerId != assignment.ControllerId)
            _removal.Kick();
    }

    /// <summary>
    /// Opens a partition that is assigned here and keeps it open, whatever fails meanwhile, until <see cref="ReleaseAsync"/>. Answers its leader epoch as soon as
    /// it serves; -1 where it was released or its topic deleted before, or where this engine has not heard of its topic yet: then it is opened once
    /// <see cref="TopicsChangedAsync"/> brings it. Cancelling ends the wait, not the opening.
    /// </summary>
    public async ValueTask<int> LeadAsync(PartitionId partition, CancellationToken cancel)
    {
        _leadership.Tell(partition);
        if (!Cluster.TopicsById.ContainsKey(partition.TopicId))
            await PublishedAsync();
        return Cluster.TopicsById.TryGetValue(partition.TopicId, out var topic) ? await _slots.LeadAsync(topic.Name, partition, cancel) : -1;
    }

    /// <summary>Seals what a partition holds now, while it goes on serving, so that <see cref="ReleaseAsync"/> is short. No effect where it is not open.</summary>
    public ValueTask PrepareReleaseAsync(PartitionId partition, CancellationToken cancel) => _host.SealAsync(partition, cancel);

    /// <summary>
    /// Leads the partition no more: appends get NOT_LEADER_OR_FOLLOWER, those in flight end, the rest is sealed, the journal leaves the manifest; then reads get
    /// NOT_LEADER_OR_FOLLOWER too. When cancelled the partition is given up all the same, and the next leader replays what was not sealed. No effect where it
    /// is not led here.
    /// </summary>
    public ValueTask ReleaseAsync(PartitionId partition, CancellationToken cancel) => _slots.ReleaseAsync(partition, cancel);

    /// <summary>
    /// Other brokers have created, changed or deleted these topics: reads them again, and completes when <see cref="Cluster"/> shows them. Throws
    /// <see cref="StoreUnavailableException"/>: then the caller tries again.
    /// </summary>
    public async ValueTask TopicsChangedAsync(IReadOnlyCollection<string> names, CancellationToken cancel)
    {
        await _catalogue.ReloadAsync(names, cancel);
        await PublishedAsync();
    }

    /// <summary>Another broker has changed the configuration of brokers, or of anything but topics: reads it again. Errors as above.</summary>
    public async ValueTask ConfigsChangedAsync(CancellationToken cancel)
    {
        await _configs.ReloadAsync(cancel);
        await PublishedAsync();
    }

    /// <summary>Completes when all that this engine was told before is in <see cref="Cluster"/>.</summary>
    public Task PublishedAsync() => _view.PublishedAsync();

    public ValueTask<PartitionLease> GetPartitionAsync(TopicPicture topic, int index, CancellationToken cancel)
    {
        var id = new PartitionId(topic.Id, index);
        return _slots.Find(id) is { } partition
            ? new ValueTask<PartitionLease>(new PartitionLease(ErrorCode.None, partition)) : _slots.OpenAsync(topic.Name, id, cancel);
    }

    public void Touch(TopicPicture topic) => _slots.OpenAll(topic.Name, topic.Id, topic.Partitions.Count);

    /// <summary>False where somebody else has begun to serve this store: to take partitions from him would only start a fight.</summary>
    private async ValueTask<bool> MayTakeAgainAsync()
    {
        if (!await _owner.LookAsync())
            return false;
        if (_parts.Host is { } host)
            await host.ConfirmAssignmentAsync(_stopping.Token);
        return true;
    }

    private void End(string sentence)
    {
        if (_ended.TrySetResult(sentence))
            _log.LogCritical("This process cannot go on: {Sentence}", sentence);
    }

    /// <summary>A topic has a new picture: its open partitions are told, and where it is gone they are let go; its data is the controller's to remove.</summary>
    private void Redrawn(string name, TopicPicture? before, TopicPicture? topic)
    {
        if (before is not null && before.Id != topic?.Id)
        {
            _groups.TopicDeleted(name);
            for (var i = 0; i < before.Partitions.Count; i++)
            {
                var id = new PartitionId(before.Id, i);
                _leadership.Untell(id);
                if (_slots.Has(id))
                    _ports.Scheduler.Start("drop partition", async () => await _slots.DropAsync(id));
            }
        }
        if (topic is not null)
        {
            _slots.Configure(topic);
            // What was told to be led before its topic was known.
            if (_parts.Host is not null)
                _slots.OpenAll(name, topic.Id, topic.Partitions.Count);
        }
        if (_leadership.IsController && _catalogue.HasDoomed(name))
            _removal.Kick();
    }

    private async ValueTask RemovePartitionAsync(PartitionId id, CancellationToken cancel)
    {
        await _slots.DropAsync(id);
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
        _groups.Stop();
        _stopping.Cancel();
        await _slots.IdleAsync();
        await _removal.IdleAsync();
        await _host.ShutdownAsync(cancel);
    }

    /// <summary>Ends without sealing; what is in the journal is replayed by the next start.</summary>
    public async ValueTask DisposeAsync()
    {
        _groups.Stop();
        _stopping.Cancel();
        await _host.DisposeAsync();
        _stopping.Dispose();
    }
}
