using Microsoft.Extensions.Logging;
using OrleansStream.Storage.Ports;

namespace OrleansStream.Storage.Journals.Disk;

/// <summary>
/// The writing end of a disk journal: one loop on a thread of its own, one commit in flight, each a block that continues the checksum chain of the one before.
/// After a failed write or sync nothing is ever tried again on that file: the journal closes, and its owner opens another.
/// </summary>
internal sealed class DiskJournal : IJournal
{
    /// <summary>Blocks begin at multiples of this, so that a torn write cannot harm the block before.</summary>
    public const int Alignment = 4096;

    private sealed class RingFile(string name, long first)
    {
        public readonly string Name = name;
        public readonly long First = first;
        public long Last = first;
    }

    private readonly FileRing _ring;
    private readonly RuntimePorts _ports;
    private readonly DiskJournalOptions _options;
    private readonly ILogger _log;
    private readonly AsyncSignal _wake = new();
    private readonly AsyncSignal _trim = new();
    private readonly CommitQueue _queue;
    private readonly Commit _commit = new();
    private readonly RetainedRanges _retained = new();
    private readonly Queue<RingFile> _files = new();
    private readonly TaskCompletionSource<string> _closed = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource _ended = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private IJournalFile _file;
    private RingFile _newest;
    private long _position;
    private long _nextNumber;
    private uint _checksum;
    private bool _failed;
    private volatile bool _trimDue;
    private volatile string? _closing;
    private volatile string? _givenUp;
    private volatile bool _disposing;

    private DiskJournal(Guid id, IJournalFile file, FileRing ring, RuntimePorts ports, DiskJournalOptions options)
    {
        Id = id;
        _file = file;
        _newest = new RingFile(file.Name, 0);
        _files.Enqueue(_newest);
        _ring = ring;
        _ports = ports;
        _options = options;
        _log = ports.Logs.CreateLogger<DiskJournal>();
        _queue = new CommitQueue(_wake);
        Closed = _closed.Task.Inline();
    }

    public Guid Id { get; }
    public Task<string> Closed { get; }
    public long PendingBytes => _queue.PendingBytes;

    /// <summary>Number of the last block that is durable; what a replay in this process may believe. Valid once <see cref="Closed"/> is complete.</summary>
    public long LastDurable => _nextNumber - 1;

    /// <summary>Begins a journal in <paramref name="file"/>: its first block is durable when this returns.</summary>
    public static async ValueTask<DiskJournal> StartAsync(Guid id, IJournalFile file, FileRing ring, RuntimePorts ports, DiskJournalOptions options)
    {
        var journal = new DiskJournal(id, file, ring, ports, options);
        await journal.WriteAsync();
        ports.Scheduler.StartDedicated("journal", journal.RunAsync);
        ports.Scheduler.Start("journal-trim", journal.TrimAsync);
        return journal;
    }

    public void Append(JournalEntry entry) => _queue.Append(entry);

    public void Sealed(PartitionId partition, int leaderEpoch, long endOffset)
    {
        _retained.Sealed(partition, leaderEpoch, endOffset, _ports.NowMilliseconds);
        _trim.Set();
    }

    public JournalBacklog Backlog() => _retained.Backlog(_ports.NowMilliseconds);

    public async ValueTask CloseAsync(CancellationToken cancel)
    {
        _closing = "the journal was closed";
        _wake.Set();
        await Closed.WaitAsync(cancel);
    }

    /// <summary>Lets the commit in flight resolve, refuses all else, and closes.</summary>
    public async ValueTask GiveUpAsync(string reason, CancellationToken cancel)
    {
        _givenUp = reason;
        _wake.Set();
        await Closed.WaitAsync(cancel);
    }

    public async ValueTask DisposeAsync()
    {
        await CloseAsync(CancellationToken.None);
        _disposing = true;
        _wake.Set();
        _trim.Set();
        await _ended.Task;
    }

    private async Task RunAsync()
    {
        string reason;
        try
        {
            reason = await CommitUntilClosedAsync();
        }
        catch (Exception e)
        {
            _failed = true;
            _ring.Doubt(_file.Name);
            reason = $"the disk journal cannot go on: {e.Message}";
            _log.LogError(e, "Disk journal {Id}: a write to {File} failed; the file is never written again", Id, _file.Name);
            if (_commit.Entries.Count > 0)
            {
                _queue.Complete(_commit, JournalOutcome.Fenced);
            }
        }

        _queue.Refuse(_commit);
        await LeaveFilesAsync();
        _closed.SetResult(reason);
        while (!_disposing)
        {
            await _wake.WaitAsync();
            _queue.Refuse(_commit);
        }

        _queue.End(_commit);
        _ended.SetResult();
    }

    private async ValueTask<string> CommitUntilClosedAsync()
    {
        while (true)
        {
            if (_givenUp is { } reason)
            {
                return reason;
            }

            var closing = _closing;
            if (_queue.Gather(_commit, _options.MaxCommitBytes))
            {
                await CommitAsync(closing is null);
            }
            else if (closing is not null)
            {
                return closing;
            }
            else if (_trimDue)
            {
                _trimDue = false;
                if (CanTrim)
                {
                    await WriteAsync();
                }
            }
            else
            {
                await _wake.WaitAsync();
            }
        }
    }

    private async ValueTask CommitAsync(bool mayLinger)
    {
        if (mayLinger && _options.Linger > TimeSpan.Zero && _queue.PendingBytes < _options.MaxCommitBytes)
        {
            await Task.Delay(_options.Linger, _ports.Time);
            _queue.Gather(_commit, _options.MaxCommitBytes);
        }

        await WriteAsync();
        _queue.Complete(_commit, JournalOutcome.Durable);
    }

    /// <summary>One block: one vectored write and one data sync.</summary>
    private async ValueTask WriteAsync()
    {
        var length = _commit.PaddedLength(Alignment);
        if (_position + length > _file.Length)
        {
            await RollAsync(length);
        }

        _commit.Seal(BlockKind.DiskBlock, Id, _nextNumber, _retained.Lowest(_nextNumber), _nextNumber, _ports.NowMilliseconds, _checksum, Alignment);
        var started = _ports.Time.GetTimestamp();
        await _file.WriteAsync(_position, _commit.Parts, CancellationToken.None);
        JournalMetrics.Committed(_ports.Time.GetElapsedTime(started), _commit.Length);
        _retained.Add(_commit, beginsUnit: _position == 0, _ports.NowMilliseconds);
        _position += _commit.Length;
        _checksum = _commit.Header.Checksum;
        _newest.Last = _nextNumber++;

        // Only what a durable block no longer counts as kept may be overwritten.
        while (_files.Peek().Last < _commit.Header.LowestKept && _files.Peek() != _newest)
        {
            _ring.Release(_files.Dequeue().Name);
        }
    }

    private async ValueTask RollAsync(long length)
    {
        var next = await _ring.TakeAsync(length, CancellationToken.None);
        await _file.DisposeAsync();
        _file = next;
        _position = 0;
        _newest = new RingFile(next.Name, _nextNumber);
        _files.Enqueue(_newest);
    }

    private bool CanTrim => _files.Count > 1 && _files.Peek().Last < _retained.Lowest(_nextNumber);

    /// <summary>Commits let trimmed files go by themselves; an idle journal writes an empty block for it, after a while.</summary>
    private async Task TrimAsync()
    {
        while (!_disposing)
        {
            await _trim.WaitAsync();
            if (!_disposing && !Closed.IsCompleted)
            {
                await Task.Delay(_options.IdleTrimDelay, _ports.Time);
                _trimDue = true;
                _wake.Set();
            }
        }
    }

    private async ValueTask LeaveFilesAsync()
    {
        foreach (var file in _files)
        {
            _ring.Leave(file.Name);
        }

        try
        {
            await _file.DisposeAsync();
        }
        catch (IOException e)
        {
            _log.LogWarning(e, "Disk journal {Id}: closing {File} failed (after a failed write: {Failed})", Id, _file.Name, _failed);
        }
    }
}
