using Microsoft.Extensions.Logging;
using OrleansStream.Storage.Ports;

namespace OrleansStream.Storage.Journals.Blob;

/// <summary>
/// The writing end of a journal in a store: several puts in flight, commits complete in order. While all slots are busy, entries gather for the next object.
/// A store that stays away stops acknowledgements and nothing else: the entries wait, since only a marker tells that they will never be durable.
/// </summary>
internal sealed class BlobJournal : IJournal
{
    private readonly IObjectStore _store;
    private readonly RuntimePorts _ports;
    private readonly BlobJournalOptions _options;
    private readonly ILogger _log;
    private readonly AsyncSignal _wake = new();
    private readonly CommitQueue _queue;
    private readonly RetainedRanges _retained = new();
    private readonly BlobTrimmer _trimmer;
    private readonly Queue<JournalPut> _inFlight = new();
    private readonly Stack<JournalPut> _idle = new();
    private readonly Commit _scratch = new();
    private readonly CancellationTokenSource _stop = new();
    private readonly TaskCompletionSource<string> _closed = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource _ended = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private long _next = 1;
    private long _inFlightBytes;
    private long _lastWithEntries = -1;
    private long _lingerUntil;
    private volatile bool _closing;
    private volatile bool _fencedLocally;
    private volatile bool _disposing;

    /// <summary>Continues behind the first object, which exists already.</summary>
    public BlobJournal(Guid id, IObjectStore store, RuntimePorts ports, BlobJournalOptions options)
    {
        Id = id;
        _store = store;
        _ports = ports;
        _options = options;
        _log = ports.Logs.CreateLogger<BlobJournal>();
        _queue = new CommitQueue(_wake);
        _trimmer = new BlobTrimmer(store, id, ports, options, _wake);
        Closed = _closed.Task.Inline();
        ports.Scheduler.Start("journal", RunAsync);
        ports.Scheduler.Start("journal-trim", _trimmer.RunAsync);
    }

    public Guid Id { get; }
    public Task<string> Closed { get; }
    public long PendingBytes => _queue.PendingBytes;

    public void Append(JournalEntry entry) => _queue.Append(entry);

    public void Sealed(PartitionId partition, int leaderEpoch, long endOffset)
    {
        _retained.Sealed(partition, leaderEpoch, endOffset, _ports.NowMilliseconds);
        _trimmer.Look();
    }

    public JournalBacklog Backlog() => _retained.BacklogOfUnits(_ports.NowMilliseconds);

    public async ValueTask CloseAsync(CancellationToken cancel)
    {
        _closing = true;
        _wake.Set();
        await Closed.WaitAsync(cancel);
    }

    /// <summary>A marker stands in the store: what is in flight below it may still become durable, nothing new is begun.</summary>
    public async ValueTask FencedAsync(CancellationToken cancel)
    {
        _fencedLocally = true;
        _wake.Set();
        await Closed.WaitAsync(cancel);
    }

    /// <summary>Does not wait for a store that is away: what is not known to be durable completes as fenced, and a replay will tell what became of it.</summary>
    public async ValueTask DisposeAsync()
    {
        if (_disposing)
        {
            await _ended.Task;
            return;
        }

        _disposing = true;
        _stop.Cancel();
        _trimmer.Stop();
        _wake.Set();
        await _ended.Task;
        _stop.Dispose();
    }

    private async Task RunAsync()
    {
        var reason = await PutUntilClosedAsync();
        _stop.Cancel();
        foreach (var put in _inFlight)
        {
            // The memory of the entries is the put's until it has ended.
            await put.Ended;
        }

        foreach (var put in _inFlight)
        {
            _queue.Complete(put.Commit, JournalOutcome.Fenced);
        }

        _inFlight.Clear();
        _queue.Refuse(_scratch);
        _closed.SetResult(reason);
        while (!_disposing)
        {
            await _wake.WaitAsync();
            _queue.Refuse(_scratch);
        }

        _queue.End(_scratch);
        _ended.SetResult();
    }

    private async ValueTask<string> PutUntilClosedAsync()
    {
        while (true)
        {
            var closing = _closing;
            if (_disposing)
            {
                return "the journal was disposed";
            }

            if (CompleteInOrder())
            {
                return "another process has fenced the journal";
            }

            if (_fencedLocally)
            {
                if (_inFlight.Count == 0)
                {
                    return "the journal was fenced by its own process";
                }
            }
            else if (_inFlight.Count < _options.PutsInFlight && MayBegin(closing))
            {
                Begin();
                continue;
            }
            else if (closing && _inFlight.Count == 0 && _queue.IsEmpty)
            {
                return "the journal was closed";
            }

            await _wake.WaitAsync();
        }
    }

    /// <summary>Completes the puts that ended, oldest first; true when the oldest found itself fenced.</summary>
    private bool CompleteInOrder()
    {
        while (_inFlight.TryPeek(out var put) && put.Done && put.Outcome is { } outcome)
        {
            if (outcome == JournalOutcome.Fenced)
            {
                return true;
            }

            _inFlight.Dequeue();
            _inFlightBytes -= put.Commit.PayloadBytes;
            JournalMetrics.Committed(_ports.Time.GetElapsedTime(put.StartedAt), put.Commit.Length);
            if (put.Commit.Entries.Count > 0)
            {
                _lastWithEntries = put.Sequence;
            }

            _retained.Add(put.Commit, beginsUnit: true, _ports.NowMilliseconds);
            _trimmer.Stated(put.Commit.Header.LowestKept);
            _queue.Complete(put.Commit, JournalOutcome.Durable);
            _idle.Push(put);
        }

        return false;
    }

    private bool MayBegin(bool closing)
    {
        if (AnyFenced())
        {
            return false;
        }

        if (_queue.IsEmpty)
        {
            var lowest = Lowest();
            return _inFlight.Count == 0 && _trimmer.TakeDue() && lowest > _trimmer.LowestStated && _trimmer.LowestStated <= _lastWithEntries;
        }

        if (_options.Linger <= TimeSpan.Zero || closing || _queue.PendingBytes - _inFlightBytes >= _options.MaxObjectBytes)
        {
            return true;
        }

        var now = _ports.Time.GetTimestamp();
        if (_lingerUntil == 0)
        {
            _lingerUntil = now + (long)(_options.Linger.TotalSeconds * _ports.Time.TimestampFrequency);
            _ports.Scheduler.Start("journal-linger", async () =>
            {
                await Task.Delay(_options.Linger, _ports.Time);
                _wake.Set();
            });
        }

        return now >= _lingerUntil;
    }

    private void Begin()
    {
        _lingerUntil = 0;
        var put = _idle.TryPop(out var idle) ? idle : new JournalPut();
        _queue.Gather(put.Commit, _options.MaxObjectBytes);
        put.Commit.Seal(BlockKind.StoreObject, Id, _next, Lowest(), OldestInFlight, _ports.NowMilliseconds, previousChecksum: 0, alignment: 1);
        _next++;
        _inFlightBytes += put.Commit.PayloadBytes;
        _inFlight.Enqueue(put);
        put.Start(_store, Id, _ports, _options, _log, _wake.Set, _stop.Token);
    }

    /// <summary>What is in flight is still needed, whatever is sealed.</summary>
    private long Lowest() => Math.Min(_retained.Lowest(_next), OldestInFlight);

    private long OldestInFlight => _inFlight.TryPeek(out var oldest) ? oldest.Sequence : _next;

    private bool AnyFenced()
    {
        foreach (var put in _inFlight)
        {
            if (put.Done && put.Outcome == JournalOutcome.Fenced)
            {
                return true;
            }
        }

        return false;
    }
}
