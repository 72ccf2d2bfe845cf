using System.Collections.Frozen;
using OrleansStream.Broker.Configuration;
using OrleansStream.Storage.Ports;

namespace OrleansStream.Broker.Topics;

/// <summary>
/// Keeps the <see cref="ClusterPicture"/>: changes are noted as they come, and one background run makes one new picture of all that came meanwhile. A
/// picture costs time in proportion to the number of topics, so a burst of a thousand changes must not make a thousand of them.
/// </summary>
internal sealed class ClusterView
{
    private readonly TopicCatalogue _catalogue;
    private readonly ConfigStore _configs;
    private readonly RuntimePorts _ports;
    private readonly Func<Guid, int, int> _leaderEpoch;
    private readonly Lock _lock = new();
    private readonly Lock _publishLock = new();
    private readonly Dictionary<string, TopicPicture> _topics = new(StringComparer.Ordinal);
    private SortedSet<string> _dirty = new(StringComparer.Ordinal);
    private bool _allDirty;
    private bool _running;
    private TaskCompletionSource? _next;
    private ClusterPicture _current;
    private ConfigLayers? _plainLayers;
    private TopicConfig _plain = new();

    /// <param name="brokers">The brokers of the cluster, this one first; it leads everything.</param>
    /// <param name="leaderEpoch">The leader epoch of a partition, -1 while nobody has opened it since the start.</param>
    public ClusterView(
        TopicCatalogue catalogue, ConfigStore configs, RuntimePorts ports, string clusterId, IReadOnlyList<BrokerPicture> brokers, Func<Guid, int, int> leaderEpoch)
    {
        _catalogue = catalogue;
        _configs = configs;
        _ports = ports;
        _leaderEpoch = leaderEpoch;
        _current = new ClusterPicture(
            clusterId, brokers[0].NodeId, brokers, FrozenDictionary<string, TopicPicture>.Empty, FrozenDictionary<Guid, TopicPicture>.Empty);
        foreach (var (name, topic) in catalogue.Topics())
            _topics[name] = Draw(name, topic);
        Publish();
        catalogue.Changed = TopicChanged;
        configs.Changed = ConfigsChanged;
    }

    public ClusterPicture Current => Volatile.Read(ref _current);

    /// <summary>This broker's addresses are known, or others.</summary>
    public void Advertise(BrokerPicture broker)
    {
        lock (_publishLock)
            Volatile.Write(ref _current, Current with { Brokers = [.. Current.Brokers.Select(b => b.NodeId == broker.NodeId ? broker : b)] });
    }

    /// <summary>Called after a topic has a new picture (null: it is gone), before that is published; on the run that makes pictures.</summary>
    public Action<string, TopicPicture?>? Redrawn { get; set; }

    public void TopicChanged(string name)
    {
        lock (_lock)
        {
            _dirty.Add(name);
            Wake();
        }
    }

    public void ConfigsChanged()
    {
        lock (_lock)
        {
            _allDirty = true;
            Wake();
        }
    }

    /// <summary>Completes when every change noted before this call is in <see cref="Current"/>.</summary>
    public Task PublishedAsync()
    {
        lock (_lock)
            return _running ? _next!.Task : Task.CompletedTask;
    }

    private void Wake()
    {
        _next ??= new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        if (_running)
            return;
        _running = true;
        _ports.Scheduler.Start("cluster picture", RunAsync);
    }

    private async Task RunAsync()
    {
        while (true)
        {
            SortedSet<string> dirty;
            bool all;
            TaskCompletionSource? done;
            lock (_lock)
            {
                if (_dirty.Count == 0 && !_allDirty)
                {
                    // Who asked during the last round has its change in it.
                    _running = false;
                    _next?.TrySetResult();
                    _next = null;
                    return;
                }
                (dirty, _dirty) = (_dirty, new SortedSet<string>(StringComparer.Ordinal));
                (all, _allDirty) = (_allDirty, false);
                // Whoever asks from here on waits for the next round, or for the end of this one if there is no other.
                (done, _next) = (_next, new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously));
            }
            if (all)
                dirty.UnionWith(_topics.Keys);
            foreach (var name in dirty)
                Redraw(name);
            Publish();
            done?.TrySetResult();
            await Task.Yield();
        }
    }

    private void Redraw(string name)
    {
        var picture = _catalogue.Find(name) is { } topic ? Draw(name, topic) : null;
        if (picture is null)
            _topics.Remove(name);
        else
            _topics[name] = picture;
        Redrawn?.Invoke(name, picture);
    }

    private void Publish()
    {
        var byName = _topics.ToFrozenDictionary(StringComparer.Ordinal);
        var byId = _topics.Values.ToFrozenDictionary(t => t.Id);
        lock (_publishLock)
            Volatile.Write(ref _current, Current with { TopicsByName = byName, TopicsById = byId });
    }

    public TopicPicture Draw(string name, StoredTopic topic)
    {
        var layers = _configs.Settings.Layers;
        var leader = Current.ControllerId;
        var partitions = new PartitionPicture[topic.Partitions];
        for (var i = 0; i < partitions.Length; i++)
            partitions[i] = new PartitionPicture(leader, _leaderEpoch(topic.Id, i));
        return new TopicPicture(name, topic.Id, TopicNames.IsInternal(name), topic.ReplicationFactor, ConfigOf(topic, layers), partitions);
    }

    /// <summary>Most topics set nothing: they share one configuration.</summary>
    private TopicConfig ConfigOf(StoredTopic topic, ConfigLayers layers)
    {
        if (topic.Configs.Count > 0)
            return TopicConfigDefinitions.Build(topic.Configs, layers);
        lock (_lock)
        {
            if (!ReferenceEquals(_plainLayers, layers))
                (_plain, _plainLayers) = (TopicConfigDefinitions.Build(topic.Configs, layers), layers);
            return _plain;
        }
    }
}
