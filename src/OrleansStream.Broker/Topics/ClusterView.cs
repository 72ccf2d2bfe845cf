using System.Collections.Frozen;
using OrleansStream.Broker.Configuration;
using OrleansStream.Broker.Engine;
using OrleansStream.Storage;
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
    private readonly Leadership _leadership;
    private readonly Func<PartitionId, int> _leaderEpoch;
    private readonly Lock _lock = new();
    private readonly Lock _publishLock = new();
    private readonly Dictionary<string, TopicPicture> _topics = new(StringComparer.Ordinal);
    private SortedSet<string> _dirty = new(StringComparer.Ordinal);
    private HashSet<Guid> _dirtyIds = [];
    private bool _allDirty;
    private bool _running;
    private TaskCompletionSource? _next;
    private ClusterPicture _current;
    private ConfigLayers? _plainLayers;
    private TopicConfig _plain = new();

    /// <param name="leadership">Says which brokers there are and who leads what.</param>
    /// <param name="leaderEpoch">The leader epoch of a partition that is open here, -1 for any other.</param>
    public ClusterView(
        TopicCatalogue catalogue, ConfigStore configs, RuntimePorts ports, string clusterId, Leadership leadership, Func<PartitionId, int> leaderEpoch)
    {
        _catalogue = catalogue;
        _configs = configs;
        _ports = ports;
        _leadership = leadership;
        _leaderEpoch = leaderEpoch;
        var assignment = leadership.Current;
        _current = new ClusterPicture(
            clusterId, assignment.ControllerId, assignment.Brokers, FrozenDictionary<string, TopicPicture>.Empty, FrozenDictionary<Guid, TopicPicture>.Empty);
        foreach (var (name, topic) in catalogue.Topics())
            _topics[name] = Draw(name, topic);
        Publish();
        catalogue.Changed = TopicChanged;
        configs.Changed = ConfigsChanged;
    }

    public ClusterPicture Current => Volatile.Read(ref _current);

    /// <summary>The brokers, their addresses or the controller are others. Shown at once.</summary>
    public void BrokersChanged()
    {
        lock (_publishLock)
        {
            var assignment = _leadership.Current;
            Volatile.Write(ref _current, Current with { ControllerId = assignment.ControllerId, Brokers = assignment.Brokers });
        }
    }

    /// <summary>
    /// Called after a topic has a new picture (the second; null: it is gone) instead of an old one (the first; null: it is new), before that is published; on
    /// the run that makes pictures.
    /// </summary>
    public Action<string, TopicPicture?, TopicPicture?>? Redrawn { get; set; }

    /// <summary>The leaders of these topics are others.</summary>
    public void TopicsChanged(IEnumerable<Guid> ids)
    {
        lock (_lock)
        {
            _dirtyIds.UnionWith(ids);
            if (_dirtyIds.Count > 0)
                Wake();
        }
    }

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
            HashSet<Guid> ids;
            bool all;
            TaskCompletionSource? done;
            lock (_lock)
            {
                if (_dirty.Count == 0 && _dirtyIds.Count == 0 && !_allDirty)
                {
                    // Who asked during the last round has its change in it.
                    _running = false;
                    _next?.TrySetResult();
                    _next = null;
                    return;
                }
                (dirty, _dirty) = (_dirty, new SortedSet<string>(StringComparer.Ordinal));
                (ids, _dirtyIds) = (_dirtyIds, []);
                (all, _allDirty) = (_allDirty, false);
                // Whoever asks from here on waits for the next round, or for the end of this one if there is no other.
                (done, _next) = (_next, new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously));
            }
            if (all)
                dirty.UnionWith(_topics.Keys);
            // An id that has no topic yet is drawn with its leaders when the topic comes.
            foreach (var id in ids)
            {
                if (Current.TopicsById.TryGetValue(id, out var topic))
                    dirty.Add(topic.Name);
            }
            foreach (var name in dirty)
                Redraw(name);
            Publish();
            done?.TrySetResult();
            await Task.Yield();
        }
    }

    private void Redraw(string name)
    {
        var before = _topics.GetValueOrDefault(name);
        var picture = _catalogue.Find(name) is { } topic ? Draw(name, topic) : null;
        if (picture is null)
            _topics.Remove(name);
        else
            _topics[name] = picture;
        Redrawn?.Invoke(name, before, picture);
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
        var assignment = _leadership.Current;
        var partitions = new PartitionPicture[topic.Partitions];
        for (var i = 0; i < partitions.Length; i++)
        {
            var id = new PartitionId(topic.Id, i);
            var assigned = assignment[id];
            // What is open here knows its epoch before the controller does. Where it goes on serving until it has moved, its epoch is not the next leader's.
            partitions[i] = assigned.LeaderId == _leadership.NodeId ? assigned with { LeaderEpoch = Math.Max(assigned.LeaderEpoch, _leaderEpoch(id)) } : assigned;
        }
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
