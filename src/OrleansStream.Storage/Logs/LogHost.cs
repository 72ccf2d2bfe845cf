using Microsoft.Extensions.Logging;
using OrleansStream.Storage.Journals;
using OrleansStream.Storage.Memory;
using OrleansStream.Storage.Ports;
using OrleansStream.Storage.Segments;

namespace OrleansStream.Storage.Logs;

/// <summary>
/// What the logs of one process share: hot memory, the journal, dead journals, the sealer, the read cache. Opens logs, i.e. takes ownership of
/// partitions. When the journal fails or is fenced it opens another; the logs of the old one have stepped down, and whoever still should lead opens them
/// again.
/// </summary>
public sealed class LogHost : IAsyncDisposable
{
    private readonly IJournalSystem _journals;
    private readonly ILogger _logger;
    private readonly Lock _lock = new();
    private readonly Dictionary<PartitionId, PartitionLog> _logs = [];
    private readonly HashSet<PartitionId> _opening = [];
    private readonly HashSet<Guid> _opened = [];
    private readonly HashSet<Guid> _givenUp = [];
    private readonly CancellationTokenSource _stop = new();
    private readonly ReadCache _cache;
    private TaskCompletionSource<IJournal> _journal = NewJournalSource();
    private bool _started;

    public LogHost(RuntimePorts ports, IObjectStore store, IJournalSystem journals, IChunkSource chunks, LogOptions options, IManifestStore? manifests = null)
    {
        Ports = ports;
        Store = store;
        Options = options;
        Manifests = manifests ?? new ObjectManifestStore(store);
        _journals = journals;
        _logger = ports.Logs.CreateLogger<LogHost>();
        Memory = new MemoryBudget(options.MemoryBudgetBytes, ports.Time);
        Pool = new ChunkPool(chunks, Memory, ports);
        _cache = new ReadCache(store, chunks, ports, new ReadCacheOptions { CapacityBytes = options.ReadCacheBytes });
        Segments = new SegmentReader(_cache);
        Dead = new DeadJournals(journals, Pool, ports);
        Sealer = new Sealer(this);
        Handover = new LogHandover(this);
        Metrics = new LogMetrics(this);
        Memory.Pressed = Sealer.Signal;
    }

    public MemoryBudget Memory { get; }

    /// <summary>What the cache of sealed data has seen.</summary>
    public ReadCacheCounters CacheCounters => _cache.Counters;

    /// <summary>The open journal's id; null while one is being opened.</summary>
    public Guid? JournalId => CurrentJournal?.Id;

    internal RuntimePorts Ports { get; }
    internal IObjectStore Store { get; }
    internal IManifestStore Manifests { get; }
    internal LogOptions Options { get; }
    internal ChunkPool Pool { get; }
    internal SegmentReader Segments { get; }
    internal DeadJournals Dead { get; }
    internal Sealer Sealer { get; }
    internal LogHandover Handover { get; }
    internal LogMetrics Metrics { get; }
    internal CancellationToken Stopping => _stop.Token;

    internal IJournal? CurrentJournal => Volatile.Read(ref _journal).Task is { IsCompletedSuccessfully: true } opened ? opened.Result : null;

    /// <summary>What an append gets when its journal ends: somebody fenced a shared one; one that is ours alone gave itself up.</summary>
    internal LogStatus FencedStatus => _journals.Shared ? LogStatus.NotLeader : LogStatus.StorageError;

    internal IReadOnlyCollection<PartitionLog> OpenLogs
    {
        get
        {
            lock (_lock)
                return [.. _logs.Values];
        }
    }

    /// <summary>Opens the journal and starts the sealer; errors as <see cref="IJournalSystem.OpenAsync"/>. Until then no log can be opened.</summary>
    public async ValueTask StartAsync(CancellationToken cancel)
    {
        if (_started)
            throw new InvalidOperationException("started already");
        var journal = Opened(await _journals.OpenAsync(cancel));
        _started = true;
        _journal.SetResult(journal);
        Sealer.Start();
        Ports.Scheduler.Start("journal keeper", KeepJournalAsync);
        if (Options.WarmBytes > 0)
        {
            Ports.Scheduler.Start("warm memory", () =>
            {
                Pool.Warm(Math.Min(Options.WarmBytes, Options.MemoryBudgetBytes / 2));
                return Task.CompletedTask;
            });
        }
    }

    /// <summary>
    /// Takes ownership of a partition, creating it where it has no manifest yet, and serves it under a new leader epoch. Throws
    /// <see cref="LogUnavailableException"/> or <see cref="StoreUnavailableException"/> (try again), <see cref="LogCorruptException"/>,
    /// <see cref="JournalCorruptException"/>, <see cref="SegmentCorruptException"/>, <see cref="UnsupportedFormatException"/>.
    /// A log that this process had open for the partition must have stepped down.
    /// </summary>
    public async ValueTask<PartitionLog> OpenAsync(PartitionId id, ILogState state, LogConfig config, CancellationToken cancel)
    {
        PartitionLog? before;
        lock (_lock)
        {
            if (_stop.IsCancellationRequested)
                throw new LogUnavailableException("The process is shutting down.");
            _logs.TryGetValue(id, out before);
            if (before is { Status: LogStatus.Ok })
                throw new InvalidOperationException($"partition {id} is open already");
            if (!_opening.Add(id))
                throw new LogUnavailableException($"Partition {id} is being opened already.");
        }
        try
        {
            var journal = await Volatile.Read(ref _journal).Task.Inline().WaitAsync(cancel);
            var opened = await new LogOpener(this, id, state, config).OpenAsync(journal, listed => HoldsNothing(before, journal, listed) && !Handover.LeftBehind(id, journal, listed), cancel);
            var log = new PartitionLog(this, opened);
            lock (_lock)
                _logs[id] = log;
            before?.Retire();
            Handover.Forget(id);
            // The journal may have ended meanwhile, before the log was listed among those that step down with it.
            if (journal.Closed.IsCompleted)
                log.StepDown(FencedStatus);
            if (log.Sealing.Ready)
                Sealer.Ready(log);
            return log;
        }
        finally
        {
            lock (_lock)
                _opening.Remove(id);
        }
    }

    /// <summary>
    /// Seals what an open partition holds now while it goes on serving, so that <see cref="ReleaseAsync"/> has little left to do. No effect where it is not open.
    /// </summary>
    public ValueTask SealAsync(PartitionId id, CancellationToken cancel) => Find(id) is { Status: LogStatus.Ok } log ? Handover.SealAsync(log, cancel) : default;

    /// <summary>
    /// Gives a partition up, while the others go on: no more appends (NotLeader), those in flight end, everything is sealed, this process's journal leaves its
    /// manifest; then its memory is freed and reads are answered NotLeader too. When cancelled it is given up all the same, and the next owner replays what
    /// was not sealed. A partition that has stepped down is only forgotten. This process may open it again afterwards.
    /// </summary>
    public ValueTask ReleaseAsync(PartitionId id, CancellationToken cancel) => Find(id) is { } log ? Handover.ReleaseAsync(log, cancel) : default;

    /// <summary>Forgets a partition that was deleted for ever by another process: its log steps down, its memory and its place in the journal are freed.</summary>
    public void Drop(PartitionId id)
    {
        if (Find(id) is { } log)
        {
            Remove(log);
            log.StepDown(LogStatus.NotLeader);
            log.Retire();
        }
        ForgetDeleted(id);
    }

    /// <summary>
    /// Deletes a partition for ever: steps its log down where it is open, deletes the manifest and then what only it named, and lets the journal go of
    /// it. Idempotent. Runs in objects that other partitions share go with <see cref="SweepAsync"/>.
    /// </summary>
    public async ValueTask DeleteAsync(PartitionId id, CancellationToken cancel)
    {
        PartitionLog? log;
        lock (_lock)
            _logs.Remove(id, out log);
        log?.StepDown(LogStatus.NotLeader);
        // The manifest first: without it no seal that is under way can count, and all that a crash leaves behind has no name, so the sweep finds it.
        await Manifests.DeleteAsync(id, cancel);
        log?.Retire();
        await new Sweeper(this, _journals).DeletePartitionAsync(id, cancel);
        ForgetDeleted(id);
    }

    private void ForgetDeleted(PartitionId id)
    {
        Handover.Forget(id);
        CurrentJournal?.Sealed(id, int.MaxValue, long.MaxValue);
        foreach (var journal in Dead.Known)
            Dead.Forget(journal, partition => partition == id);
    }

    private PartitionLog? Find(PartitionId id)
    {
        lock (_lock)
            return _logs.GetValueOrDefault(id);
    }

    internal void Remove(PartitionLog log)
    {
        lock (_lock)
        {
            if (_logs.GetValueOrDefault(log.Id) == log)
                _logs.Remove(log.Id);
        }
    }

    /// <summary>
    /// Deletes what nobody names any more: orphans of failed seals, leftovers of deleted partitions, data of dead journals. For the background, at
    /// start and then rarely. Throws <see cref="StoreUnavailableException"/> where the store is away: what is left is found the next time.
    /// </summary>
    /// <param name="exists">Whether the catalogue still has a partition; a partition that is being created must be in it.</param>
    /// <param name="abandoned">
    /// Whether a journal of another process, one that no manifest lists, may be taken for a dead one's, to be fenced and deleted. A guess: a wrong yes costs
    /// the living process a journal, and nobody any data; a wrong no leaves the data where it is.
    /// </param>
    public ValueTask SweepAsync(Func<PartitionId, bool> exists, Func<Guid, bool> abandoned, CancellationToken cancel) =>
        new Sweeper(this, _journals).SweepAsync(exists, abandoned, cancel);

    /// <summary>
    /// Takes no more appends, waits for those in flight, seals everything and takes this process's journal out of all manifests, so that the next start
    /// replays nothing; then closes the journal. When cancelled, what is not sealed stays in the journal and is replayed.
    /// </summary>
    public async ValueTask ShutdownAsync(CancellationToken cancel)
    {
        _stop.Cancel();
        var logs = OpenLogs.ToList();
        try
        {
            foreach (var log in logs)
                log.Close();
            foreach (var log in logs)
                await log.WaitDurableAsync(log.EndOffset - 1).AsTask().WaitAsync(cancel);
            await Sealer.DrainAsync(logs, cancel);
        }
        finally
        {
            Sealer.Stop();
            if (CurrentJournal is { } journal)
            {
                await journal.CloseAsync(CancellationToken.None);
                // Nobody lists it any more: its data would only be swept later.
                if (logs.All(static log => log.Sealing.Gone) && Handover.NothingLeftIn(journal) && !cancel.IsCancellationRequested)
                    await TryDeleteJournalAsync(journal.Id, cancel);
            }
        }
    }

    public async ValueTask DisposeAsync()
    {
        _stop.Cancel();
        Sealer.Stop();
        foreach (var log in OpenLogs)
            log.StepDown(LogStatus.NotLeader);
        if (CurrentJournal is { } journal)
            await journal.DisposeAsync();
        foreach (var log in OpenLogs)
            log.Retire();
        foreach (var dead in Dead.Known)
            Dead.Forget(dead, static _ => true);
        Metrics.Dispose();
        _cache.Dispose();
        Pool.Dispose();
    }

    /// <summary>Whether this process wrote a journal.</summary>
    internal bool OpenedHere(Guid journalId)
    {
        lock (_lock)
            return _opened.Contains(journalId);
    }

    private IJournal Opened(IJournal journal)
    {
        lock (_lock)
            _opened.Add(journal.Id);
        return journal;
    }

    internal bool IsOpen(PartitionId id)
    {
        lock (_lock)
            return _logs.ContainsKey(id) || _opening.Contains(id);
    }

    /// <summary>Whether our own journal holds nothing unsealed of a partition under an earlier epoch: no log served it, or that log sealed it all.</summary>
    private static bool HoldsNothing(PartitionLog? before, IJournal journal, ListedJournal listed) =>
        before is null || before.Journal != journal || before.LeaderEpoch != listed.LeaderEpoch
        || (before.Status != LogStatus.Ok && before.SealedEndOffset == before.EndOffset);

    /// <summary>Ends our own journal, as another process would, so that it can be replayed; <see cref="KeepJournalAsync"/> opens the next.</summary>
    internal void GiveUp(IJournal journal)
    {
        if (!_journals.Shared)
            return;
        lock (_lock)
        {
            if (!_givenUp.Add(journal.Id))
                return;
        }
        Ports.Scheduler.Start("give up journal", async () =>
        {
            try
            {
                await _journals.FenceAsync(journal.Id, _stop.Token);
            }
            catch (Exception e) when (e is IOException || (e is OperationCanceledException && _stop.IsCancellationRequested))
            {
                // Whoever opens the partition next tries again.
                lock (_lock)
                    _givenUp.Remove(journal.Id);
            }
        });
    }

    private async Task TryDeleteJournalAsync(Guid id, CancellationToken cancel)
    {
        try
        {
            await _journals.FenceAsync(id, cancel);
            await _journals.DeleteAsync(id, cancel);
        }
        catch (Exception e) when (e is IOException or OperationCanceledException)
        {
            _logger.LogInformation(e, "The data of the closed journal {Journal} stays until the next sweep.", id);
        }
    }

    /// <summary>Opens another journal whenever the current one has ended, until the host stops.</summary>
    private async Task KeepJournalAsync()
    {
        while (!_stop.IsCancellationRequested)
        {
            var journal = _journal.Task.Result;
            string reason;
            try
            {
                reason = await journal.Closed.WaitAsync(_stop.Token);
            }
            catch (OperationCanceledException)
            {
                return;
            }
            _logger.LogError("Journal {Journal} has ended: {Reason} Opening another; partitions are taken again.", journal.Id, reason);
            var next = NewJournalSource();
            Volatile.Write(ref _journal, next);
            foreach (var log in OpenLogs)
            {
                if (log.Journal == journal)
                    log.StepDown(FencedStatus);
            }
            // Before another log replays it, nothing may write to it any more.
            await journal.DisposeAsync();
            if (await OpenJournalAsync() is not { } opened)
                return;
            next.SetResult(opened);
        }
    }

    private async Task<IJournal?> OpenJournalAsync()
    {
        var backoff = new Backoff(Ports.Time, Options);
        while (true)
        {
            try
            {
                return Opened(await _journals.OpenAsync(_stop.Token));
            }
            catch (OperationCanceledException)
            {
                return null;
            }
            catch (IOException e)
            {
                _logger.LogError(e, "No journal can be opened; trying again.");
            }
            try
            {
                await backoff.PauseAsync(_stop.Token);
            }
            catch (OperationCanceledException)
            {
                return null;
            }
        }
    }

    private static TaskCompletionSource<IJournal> NewJournalSource() => new(TaskCreationOptions.RunContinuationsAsynchronously);
}
