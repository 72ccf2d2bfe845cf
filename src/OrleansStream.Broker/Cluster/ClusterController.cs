using Microsoft.Extensions.Logging;
using OrleansStream.Broker.Topics;
using OrleansStream.Storage;
using OrleansStream.Storage.Ports;

namespace OrleansStream.Broker.Cluster;

/// <summary>What a controller stands on.</summary>
/// <param name="NodeId">The broker that the controller runs in.</param>
/// <param name="Topics">The topics that live, as that broker knows them.</param>
public sealed record ControllerParts(
    RuntimePorts Ports, IObjectStore Store, int NodeId, Func<IEnumerable<TopicPicture>> Topics, IPartitionCommands Commands)
{
    /// <summary>How long a new controller waits for the brokers that live to say what they lead, before it gives their partitions to others.</summary>
    public TimeSpan Settle { get; init; } = TimeSpan.FromSeconds(2);

    /// <summary>How many planned moves go on at a time.</summary>
    public int MoveWidth { get; init; } = 4;

    /// <summary>How long a broker may take over one step of a planned move; then the partition is taken from it by fencing.</summary>
    public TimeSpan StepTimeout { get; init; } = TimeSpan.FromSeconds(3);

    /// <summary>How long a planned move waits for the brokers to know of it before the old leader turns clients away.</summary>
    public TimeSpan KnownWithin { get; init; } = TimeSpan.FromSeconds(1);

    /// <summary>How many partitions are given to their leaders at a time, after a failover or at start.</summary>
    public int LeadWidth { get; init; } = 64;

    /// <summary>How long after a broker was told to lead a partition it is told again, where it does not serve.</summary>
    public TimeSpan LeadAgain { get; init; } = TimeSpan.FromSeconds(3);

    /// <summary>The same where the broker could not be told.</summary>
    public TimeSpan LeadRetry { get; init; } = TimeSpan.FromMilliseconds(250);
}

/// <summary>
/// Decides which broker leads which partition, and sees to it: partitions of a dead broker go to others at once, a joining or leaving broker's go by planned
/// moves, a few at a time. One of a cluster, but nothing rests on that: where there are two for a while, the brokers follow the one with the higher
/// term, and what both command at worst costs a leader epoch. Thread-safe.
/// </summary>
public sealed class ClusterController : IDisposable
{
    private static readonly TimeSpan LookAgain = TimeSpan.FromSeconds(1);

    private readonly ControllerParts _parts;
    private readonly RuntimePorts _ports;
    private readonly ILogger _log;
    private readonly StoredCell<StoredAssignment> _cell;
    private readonly CancellationTokenSource _stopping = new();
    private readonly Lock _lock = new();
    private readonly ClusterState _state;
    private readonly int _term;
    private readonly PartitionMoves _moves;
    private readonly PartitionLeads _leads;
    private readonly HashSet<int> _leaving = [];
    private readonly KnownVersions _known;
    private readonly TaskCompletionSource _superseded = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly long _startedAt;
    private IReadOnlySet<string>? _living;
    private TaskCompletionSource _news = NewSignal();
    private TaskCompletionSource _work = NewSignal();
    private bool _settled;
    private long _publishedVersion;
    private long _writtenVersion;

    private ClusterController(ControllerParts parts, StoredCell<StoredAssignment> cell, StoredAssignment stored)
    {
        _parts = parts;
        _ports = parts.Ports;
        _log = _ports.Logs.CreateLogger<ClusterController>();
        _cell = cell;
        _term = stored.Term;
        _state = new ClusterState(_term);
        _startedAt = _ports.Time.GetTimestamp();
        foreach (var (topic, leaders) in stored.Leaders)
        {
            _state.Ensure(topic, leaders.Length);
            for (var i = 0; i < leaders.Length; i++)
                _state.Lead(new PartitionId(topic, i), leaders[i]);
        }
        _known = new KnownVersions(_ports);
        _moves = new PartitionMoves(parts, AssignAsync, _stopping.Token) { Done = Wake };
        _leads = new PartitionLeads(parts, _stopping.Token) { Done = Wake };
    }

    /// <summary>Called after every change, so that the broker that the controller runs in hears of it before any command goes out; be short.</summary>
    public required Action<ClusterNews> Published { get; init; }

    /// <summary>Completes when a later controller has begun: this one decides nothing any more.</summary>
    public Task Superseded => _superseded.Task;

    /// <summary>Reads who led what, and begins a term. Throws <see cref="StoreUnavailableException"/>.</summary>
    public static async ValueTask<ClusterController> StartAsync(ControllerParts parts, Action<ClusterNews> published, CancellationToken cancel)
    {
        var cell = new StoredCell<StoredAssignment>(parts.Store, parts.Ports, "cluster/assignment", StoredAssignment.Codec);
        var stored = await cell.UpdateAsync(
            there => new StoredAssignment((there?.Term ?? 0) + 1, there?.Leaders ?? new Dictionary<Guid, int[]>()), cancel);
        var controller = new ClusterController(parts, cell, stored!) { Published = published };
        parts.Ports.Scheduler.Start("cluster controller", controller.RunAsync);
        return controller;
    }

    /// <summary>
    /// A broker lives and has this to say. Answers why it may not be part of the cluster, null where it may: membership does not have it (not yet, or it is
    /// dead and this report was late), or another living broker has its node id.
    /// </summary>
    public string? Report(ClusterMember member, IReadOnlyList<PartitionEvent> events)
    {
        lock (_lock)
        {
            if (_living?.Contains(member.Address) == false)
                return $"membership has no living silo at {member.Address}";
            if (!_state.Members.TryGetValue(member.NodeId, out var there))
                _state.Put(member);
            else if (there.Address != member.Address)
            {
                if (_living?.Contains(there.Address) != false)
                    return $"node.id {member.NodeId} is taken by the broker at {there.Address}";
                _state.Remove(member.NodeId);
                _leaving.Remove(member.NodeId);
                _state.Put(member);
            }
            else if (!SamePicture(there.Picture, member.Picture))
                _state.Put(member);
            if (member.IsLeaving)
                _leaving.Add(member.NodeId);
            foreach (var what in events)
                _state.Note(member.NodeId, what, _moves.IsMoving(what.Partition));
        }
        Changed();
        return null;
    }

    /// <summary>The processes that live, by membership: brokers that are not among them are dead.</summary>
    public void Living(IReadOnlySet<string> addresses)
    {
        lock (_lock)
        {
            _living = addresses;
            foreach (var member in _state.Members.Values.ToList())
            {
                if (!addresses.Contains(member.Address))
                {
                    _log.LogWarning("Broker {NodeId} at {Address} is gone", member.NodeId, member.Address);
                    _state.Remove(member.NodeId);
                    _leaving.Remove(member.NodeId);
                    _known.Forget(member.NodeId);
                }
            }
        }
        Changed();
    }

    /// <summary>Hands a broker's partitions to others; completes when it leads none, or nobody else could.</summary>
    public async Task LeaveAsync(int nodeId, CancellationToken cancel)
    {
        lock (_lock)
            _leaving.Add(nodeId);
        while (true)
        {
            Task news;
            lock (_lock)
            {
                if (!_state.Members.ContainsKey(nodeId) || _state.Members.Keys.All(_leaving.Contains) || !LeadsAny(nodeId))
                    return;
                news = _news.Task;
            }
            Wake();
            await news.WaitAsync(cancel);
        }
    }

    /// <summary>Stored records of topics have changed. Answers the version whose news say so.</summary>
    public long TopicsChanged(IEnumerable<string> names)
    {
        long version;
        lock (_lock)
        {
            SyncTopics();
            PlanLocked();
            version = _state.RecordsChanged(names);
        }
        Changed();
        return version;
    }

    /// <summary>Stored configurations of brokers have changed. Answers as <see cref="TopicsChanged"/>.</summary>
    public long ConfigsChanged()
    {
        long version;
        lock (_lock)
            version = _state.ConfigsChanged();
        Changed();
        return version;
    }

    /// <summary>A broker knows, and shows its clients, everything up to a version.</summary>
    public void Knows(int nodeId, long version) => _known.Note(nodeId, version);

    /// <summary>What is news to a broker that knows everything up to a version, waiting for some at most so long.</summary>
    public async ValueTask<ClusterNews> NewsAsync(long version, TimeSpan atMost, CancellationToken cancel)
    {
        Task waiting;
        lock (_lock)
        {
            if (_state.Version != version)
                return _state.Since(version, _parts.NodeId);
            waiting = _news.Task;
        }
        try
        {
            await waiting.WaitAsync(atMost, _ports.Time, cancel);
        }
        catch (TimeoutException)
        {
            // No news is an answer, too.
        }
        lock (_lock)
            return _state.Since(version, _parts.NodeId);
    }

    public void Dispose()
    {
        _stopping.Cancel();
        _superseded.TrySetResult();
    }

    private async Task RunAsync()
    {
        while (!_stopping.IsCancellationRequested)
        {
            Task work;
            lock (_lock)
            {
                if (_work.Task.IsCompleted)
                    _work = NewSignal();
                work = _work.Task;
                Settle();
                if (_settled)
                {
                    SyncTopics();
                    PlanLocked();
                }
            }
            Publish();
            if (_settled)
                StartWork();
            try
            {
                await WriteAsync();
                await work.WaitAsync(LookAgain, _ports.Time, _stopping.Token);
            }
            catch (TimeoutException)
            {
                // Looked at again now and then, for what no event tells of.
            }
            catch (OperationCanceledException) when (_stopping.IsCancellationRequested)
            {
                return;
            }
            catch (IOException e)
            {
                _log.LogWarning("The assignment of partitions cannot be written now: {Reason}", e.Message);
            }
        }
    }

    /// <summary>A new controller knows nothing: it hears every living broker first, or waits a while for them.</summary>
    private void Settle()
    {
        _settled |= _ports.Time.GetElapsedTime(_startedAt) >= _parts.Settle
            || (_living is { } living && _state.Members.Count > 0 && living.All(address => _state.Members.Values.Any(m => m.Address == address)));
    }

    private void SyncTopics()
    {
        HashSet<Guid> live = [];
        foreach (var topic in _parts.Topics())
        {
            live.Add(topic.Id);
            _state.Ensure(topic.Id, topic.Partitions.Count);
        }
        foreach (var id in _state.Topics.Keys.Where(id => !live.Contains(id)).ToList())
            _state.Forget(id);
    }

    /// <summary>Gives what no living broker leads to one, and queues planned moves of the rest.</summary>
    private void PlanLocked()
    {
        if (!_settled)
            return;
        Dictionary<PartitionId, int> leaders = [];
        foreach (var (id, topic) in _state.Topics)
        {
            for (var i = 0; i < topic.Partitions; i++)
            {
                var partition = new PartitionId(id, i);
                leaders.Add(partition, _moves.TargetOf(partition) ?? topic.Leaders[i]);
            }
        }
        // No more moves than can begin at once: when one is done, another plan is made.
        var plan = PartitionPlan.Make(
            _state.Members.Values.Select(m => new PlanBroker(m.NodeId, m.Picture.Rack, _leaving.Contains(m.NodeId))), leaders, _parts.MoveWidth);
        foreach (var (partition, target) in plan.Placements)
        {
            if (!_moves.IsMoving(partition))
                _state.Lead(partition, target);
        }
        _moves.Clear();
        foreach (var (partition, from, target) in plan.Moves)
        {
            // What is still being opened stays until it is, or the opening and the move run after each other for ever; unless its broker leaves.
            if (_state.IsServed(partition) || _leaving.Contains(from))
                _moves.Add(partition, target);
        }
    }

    private void StartWork()
    {
        List<PartitionId> idle = [];
        long version;
        lock (_lock)
        {
            version = _state.Version;
            foreach (var (id, topic) in _state.Topics)
            {
                for (var i = 0; i < topic.Partitions; i++)
                {
                    var partition = new PartitionId(id, i);
                    if (topic.Leaders[i] >= 0 && topic.Serving[i] != topic.Leaders[i] && !_moves.IsMoving(partition))
                        idle.Add(partition);
                }
            }
        }
        _leads.Start(idle, version);
        _moves.Start();
    }

    /// <summary>Step two of a planned move: everybody learns who leads from now on.</summary>
    private async ValueTask<long?> AssignAsync(PartitionId partition, int target)
    {
        long version;
        lock (_lock)
        {
            if (!_state.Topics.ContainsKey(partition.TopicId) || !_state.Members.ContainsKey(target) || _leaving.Contains(target))
                return null;
            _state.Lead(partition, target);
            version = _state.Version;
        }
        Publish();
        await _known.ReachedAsync(version, _parts.KnownWithin, _stopping.Token);
        return version;
    }

    private bool LeadsAny(int nodeId) =>
        _state.Topics.Values.Any(t => t.Leaders.Contains(nodeId) || t.Serving.Contains(nodeId));

    private void Changed()
    {
        Publish();
        Wake();
    }

    private void Wake()
    {
        lock (_lock)
            _work.TrySetResult();
    }

    private void Publish()
    {
        lock (_lock)
        {
            if (_state.Version == _publishedVersion)
                return;
            var news = _state.Since(_publishedVersion, _parts.NodeId);
            _publishedVersion = _state.Version;
            Published(news);
            _news.TrySetResult();
            _news = NewSignal();
        }
    }

    private async ValueTask WriteAsync()
    {
        StoredAssignment next;
        long version;
        lock (_lock)
        {
            version = _state.Version;
            if (!_settled || version == _writtenVersion)
                return;
            next = new StoredAssignment(_term, _state.Topics.ToDictionary(static t => t.Key, static t => (int[])t.Value.Leaders.Clone()));
        }
        var there = await _cell.UpdateAsync(there => there is null || there.Term <= _term ? next : null, _stopping.Token);
        _writtenVersion = version;
        if (there!.Term > _term)
        {
            _log.LogInformation("A later controller has begun; this one ends");
            Dispose();
        }
    }

    private static bool SamePicture(BrokerPicture a, BrokerPicture b) =>
        a.NodeId == b.NodeId && a.Rack == b.Rack && a.Listeners.Count == b.Listeners.Count && a.Listeners.All(l => b.Listeners.TryGetValue(l.Key, out var other) && other == l.Value);

    private static TaskCompletionSource NewSignal() => new(TaskCreationOptions.RunContinuationsAsynchronously);
}
