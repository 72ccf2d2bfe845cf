using Microsoft.Extensions.Logging;
using OrleansStream.Broker.Groups.Admin;
using OrleansStream.Broker.Groups.Classic;
using OrleansStream.Broker.Groups.Consumer;
using OrleansStream.Broker.Groups.Offsets;
using OrleansStream.Broker.Groups.Records;
using OrleansStream.Broker.Groups.Snapshots;
using OrleansStream.Broker.Partitions;
using OrleansStream.Broker.Topics;
using OrleansStream.Protocol;
using OrleansStream.Storage.Ports;

namespace OrleansStream.Broker.Groups.Runtime;

/// <summary>
/// The coordinator of the groups of one partition of __consumer_offsets, for one leader epoch: it appends to the partition object of that epoch and to no
/// other, so that whoever leads next refuses what this one still tries.
/// <para>
/// Requests and timers take turns, one after the other, on no thread of their own; a turn never waits. What is decided in a turn is replayed at once and
/// appended at its end, with whatever other turns came meanwhile, and the next turn does not wait for that. Where an append fails, all that is in memory is
/// dropped with this object: everybody who waits is told, and the next request loads anew.
/// </para>
/// </summary>
internal sealed class GroupShard : IRecordSink, IPartitionWatcher
{
    private readonly RuntimePorts _ports;
    private readonly GroupEnvironment _environment;
    private readonly Action<GroupShard> _ended;
    private readonly SnapshotStore? _snapshots;
    private readonly SnapshotTaker? _taker;
    private readonly ShardAppender _appender;
    private readonly Lock _lock = new();
    private readonly HashSet<Reply> _parked = [];
    private readonly HashSet<ShardTimer> _timers = [];
    private readonly TaskCompletionSource<ErrorCode> _loaded = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly long _startedAt;
    private List<Action> _incoming = [];
    private List<Action> _turn = [];
    private List<Reply> _answers = [];
    private IDisposable? _watch;
    private bool _running;
    private volatile bool _serving;
    private volatile bool _ending;
    private bool _dead;

    /// <param name="partition">Leads; every append of this object goes there.</param>
    /// <param name="maxRecordBytes">The largest batch that the partition takes.</param>
    /// <param name="snapshots">Null: none are taken, and loading reads the whole log.</param>
    /// <param name="ended">Called once, when this object serves no more.</param>
    public GroupShard(
        RuntimePorts ports, IPartition partition, int maxRecordBytes, GroupEnvironment environment, SnapshotStore? snapshots, Action<GroupShard> ended)
    {
        _ports = ports;
        _environment = environment;
        _ended = ended;
        _startedAt = ports.Time.GetTimestamp();
        Partition = partition;
        Log = ports.Logs.CreateLogger<GroupShard>();
        _snapshots = snapshots;
        _taker = snapshots is null ? null : new SnapshotTaker(ports, partition, snapshots, Log);
        _appender = new ShardAppender(this, ports, maxRecordBytes);
        State = new ShardState(this);
        Offsets = new OffsetRequests(this);
        Classic = new ClassicRequests(this);
        Consumers = new ConsumerRequests(this);
        Admin = new AdminRequests(this);
        GroupConfigs = new GroupConfigs(() => Settings.Consumer, environment.OwnConfigs);
    }

    public IPartition Partition { get; }
    public ShardState State { get; }
    public ILogger Log { get; }
    public GroupSettings Settings => _environment.Settings();

    /// <summary>The topics as they are now.</summary>
    public ClusterPicture Cluster => _environment.Cluster();

    /// <summary>What groups set themselves.</summary>
    public GroupConfigs GroupConfigs { get; }

    public IRandomSource Random => _ports.Random;
    public TimeProvider Time => _ports.Time;

    /// <summary>Unix time in milliseconds, as records carry it.</summary>
    public long NowMs => _ports.NowMilliseconds;

    /// <summary>Milliseconds since this object was made; what deadlines are counted in.</summary>
    public long MonotonicMs => (long)_ports.Time.GetElapsedTime(_startedAt).TotalMilliseconds;

    public OffsetRequests Offsets { get; }
    public ClassicRequests Classic { get; }
    public ConsumerRequests Consumers { get; }
    public AdminRequests Admin { get; }

    /// <summary>Completes when requests are served, or with the error that ended the loading.</summary>
    public Task<ErrorCode> Loaded => _loaded.Task;

    /// <summary>Whether it is loaded and leads, as far as is known here.</summary>
    public bool Serving => _serving && !_ending && Partition.Leads;

    public void Start() => _ports.Scheduler.Start("load groups", LoadAsync);

    private async Task LoadAsync()
    {
        _watch = Partition.Watch(this);
        var loader = new ShardLoader(_ports, Partition, State, _snapshots, Log);
        var error = await loader.LoadAsync(() => _ending);
        if (error != ErrorCode.None)
        {
            End(error);
            return;
        }
        Log.LogInformation(
            "Groups of {Partition} are loaded in {Milliseconds} ms: {InSnapshot} records of the snapshot, {FromLog} of the log behind it.",
            Partition.Id, MonotonicMs, loader.InSnapshot, loader.FromLog);
        _taker?.Begin(loader.Covered, loader.InSnapshot);
        Post(() =>
        {
            State.Loaded();
            Offsets.ScheduleExpiry();
            _serving = true;
            _loaded.TrySetResult(ErrorCode.None);
        });
    }

    /// <summary>Asks for an answer that a turn gives, at once or later through the reply that it is handed.</summary>
    public Task<GroupResult<T>> AskAsync<T>(Action<Reply<T>> handler)
    {
        var reply = new Reply<T>(this);
        Post(() =>
        {
            if (_dead)
            {
                reply.Fail(ErrorCode.NotCoordinator);
                return;
            }
            try
            {
                handler(reply);
                if (!reply.Answered)
                    _parked.Add(reply);
            }
            catch (GroupException refused)
            {
                reply.Refuse(refused.Error, refused.Sentence);
            }
        });
        return reply.Task;
    }

    /// <summary>The same, where the turn always has the answer.</summary>
    public Task<GroupResult<T>> AskAsync<T>(Func<T> handler) => AskAsync<T>(reply => reply.Answer(handler()));

    /// <summary>Takes a turn; what comes in after the end is not run, except to be told of it.</summary>
    public void Post(Action work)
    {
        lock (_lock)
        {
            _incoming.Add(work);
            if (_running)
                return;
            _running = true;
        }
        _ports.Scheduler.Start("group turns", RunAsync);
    }

    private Task RunAsync()
    {
        while (true)
        {
            lock (_lock)
            {
                if (_incoming.Count == 0)
                {
                    _running = false;
                    return Task.CompletedTask;
                }
                (_turn, _incoming) = (_incoming, _turn);
            }
            foreach (var work in _turn)
                Turn(work);
            _turn.Clear();
            _answers = _appender.Flush(_answers);
        }
    }

    private void Turn(Action work)
    {
        try
        {
            work();
            if (!_dead && _appender.EndDecision())
                _answers = _appender.Flush(_answers);
        }
#pragma warning disable CA1031 // A defect in one group must not take the process along; what memory holds is not to be trusted any more, and is loaded anew.
        catch (Exception defect)
#pragma warning restore CA1031
        {
            Log.LogCritical(defect, "The coordinator of {Partition} failed and loads anew; this is a defect.", Partition.Id);
            Die(ErrorCode.UnknownServerError);
        }
    }

    public void Write(in CoordinatorRecord record)
    {
        _appender.Write(record);
        State.Replay(record);
    }

    /// <summary>A reply was given its answer.</summary>
    public void Answered(Reply reply)
    {
        _parked.Remove(reply);
        _answers.Add(reply);
    }

    public void Remember(ShardTimer timer) => _timers.Add(timer);
    public void Forget(ShardTimer timer) => _timers.Remove(timer);

    /// <summary>Called by the partition whenever something changed there: also when it is led here no more.</summary>
    void IPartitionWatcher.Changed()
    {
        if (Partition.Leads)
            _taker?.Grown();
        else
            End(ErrorCode.NotCoordinator);
    }

    /// <summary>Serves no more; all who wait get <paramref name="error"/>.</summary>
    public void End(ErrorCode error)
    {
        if (_ending)
            return;
        _ending = true;
        Post(() => Die(error));
    }

    private void Die(ErrorCode error)
    {
        if (_dead)
            return;
        _dead = true;
        _ending = true;
        _serving = false;
        _taker?.Stop();
        _watch?.Dispose();
        foreach (var timer in _timers.ToList())
            timer.Cancel();
        foreach (var reply in _parked.Concat(_answers))
            reply.Fail(error);
        _parked.Clear();
        _answers.Clear();
        _appender.Fail(error);
        _loaded.TrySetResult(error);
        _ended(this);
    }
}
