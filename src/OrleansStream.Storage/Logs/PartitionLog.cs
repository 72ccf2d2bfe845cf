using System.Buffers;
using System.Collections.Immutable;
using Microsoft.Extensions.Logging;
using OrleansStream.Protocol.Records;
using OrleansStream.Storage.Journals;
using OrleansStream.Storage.Segments;

namespace OrleansStream.Storage.Logs;

/// <summary>
/// Where an append landed; where <paramref name="Status"/> is not Ok, the log takes no appends any more. <paramref name="Durable"/> completes when the
/// journal has it, or with why it never will; it may be left alone.
/// </summary>
public readonly record struct LogAppend(LogStatus Status, long BaseOffset, long LastOffset, ValueTask<LogStatus> Durable);

/// <summary>What a read gave: whole batches out of hot memory or the read cache, valid until the hold is disposed.</summary>
public readonly record struct LogRead(LogStatus Status, ReadOnlySequence<byte> Batches, IDisposable? Hold);

/// <summary>What <see cref="LogOpener"/> has gathered for a log that begins to serve.</summary>
internal sealed record OpenedLog(
    PartitionId Id, int LeaderEpoch, OwnedManifest Manifest, IJournal Journal, ILogState State, LogConfig Config,
    HotSegment Hot, UnsealedTail Tail, EpochCache Epochs, ImmutableDictionary<ListedJournal, long> EarlierEnds, long EndOffset);

/// <summary>
/// The log of one partition under one leader epoch: hot tail, sealed runs, high watermark. It takes appends until its journal is fenced, another owner
/// takes the partition, or it is closed; it answers reads below its high watermark after that too, until it is retired. Thread-safe.
/// </summary>
public sealed class PartitionLog
{
    private readonly LogHost _host;
    private readonly IJournal _journal;
    private readonly ILogState _state;
    private readonly HotSegment _hot;
    private readonly UnsealedTail _tail;
    private readonly EpochCache _epochs;
    private readonly ColdLog _cold;
    private readonly LogSealing _sealing;
    private readonly LogTrimmer _trimmer;
    private readonly DurableWaiters _waiters = new();
    private readonly Watchers _watchers = new();
    private readonly TaskCompletionSource<LogStatus> _steppedDown = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly ILogger _logger;
    private LogConfig _config;
    private long _nextOffset;
    private long _highWatermark;
    private volatile LogStatus _status;
    private volatile bool _fenced;
    private volatile bool _retired;

    internal PartitionLog(LogHost host, OpenedLog opened)
    {
        _host = host;
        _journal = opened.Journal;
        _state = opened.State;
        _hot = opened.Hot;
        _tail = opened.Tail;
        _epochs = opened.Epochs;
        _config = opened.Config;
        Id = opened.Id;
        LeaderEpoch = opened.LeaderEpoch;
        Manifest = opened.Manifest;
        _cold = new ColdLog(opened.Id, opened.Manifest, host.Segments, host.Store);
        _logger = host.Ports.Logs.CreateLogger<PartitionLog>();
        _sealing = new LogSealing(this, host, opened);
        _trimmer = new LogTrimmer(this, host, _cold);
        _nextOffset = _highWatermark = opened.EndOffset;
    }

    /// <summary>Held while offsets are assigned. A caller whose decision depends on the log's state holds it while it decides and appends.</summary>
    public Lock Sync { get; } = new();

    public PartitionId Id { get; }
    public int LeaderEpoch { get; }
    public long LogStartOffset => Manifest.Current.LogStartOffset;

    /// <summary>The offset after the last durable record: what may be read lies below.</summary>
    public long HighWatermark => Volatile.Read(ref _highWatermark);

    /// <summary>The offset that the next record gets.</summary>
    public long EndOffset => Volatile.Read(ref _nextOffset);

    /// <summary>Bytes of record batches, sealed and not.</summary>
    public long SizeBytes
    {
        get
        {
            lock (Sync)
                return Manifest.Current.SealedBytes + _tail.Bytes + _tail.FrozenBytes;
        }
    }

    /// <summary>Ok while the log takes appends.</summary>
    public LogStatus Status => _status;

    /// <summary>Completes when the log takes no appends any more, with the reason. Reads up to the high watermark go on.</summary>
    public Task<LogStatus> SteppedDown => _steppedDown.Task;

    internal OwnedManifest Manifest { get; }

    /// <summary>Whether its hot memory is gone: it answers nothing any more.</summary>
    internal bool Retired => _retired;

    internal IJournal Journal => _journal;
    internal LogSealing Sealing => _sealing;

    public void Configure(LogConfig config)
    {
        lock (Sync)
            _config = config;
    }

    /// <summary>
    /// Assigns offsets and leader epoch, copies into hot memory and hands it to the journal, all before it returns; <paramref name="batches"/> are whole,
    /// validated record batches and may be reused at once.
    /// </summary>
    public LogAppend Append(in ReadOnlySequence<byte> batches)
    {
        CheckWhole(batches);
        var length = (int)batches.Length;
        lock (Sync)
        {
            if (_status != LogStatus.Ok)
                return new LogAppend(_status, -1, -1, default);
            RollBefore(length);
            var part = _hot.Reserve(length, _nextOffset);
            var room = part.Tail[..length];
            batches.CopyTo(room.Span);
            var baseOffset = _nextOffset;
            var next = baseOffset;
            for (var at = 0; at < length;)
            {
                var batch = room.Span[at..];
                RecordBatchPatch.AssignOffset(batch, next, LeaderEpoch);
                var header = RecordBatchHeader.Read(batch);
                part.Add(header);
                _state.Apply(batch[..(int)header.SizeInBytes]);
                next = header.NextOffset;
                at += (int)header.SizeInBytes;
            }
            Volatile.Write(ref _nextOffset, next);
            _tail.Added(part, length, _tail.Bytes == 0 ? _host.Ports.NowMilliseconds : 0);
            var entry = new AppendEntry(this, part.Chunk, room, baseOffset, next - 1);
            var durable = entry.Durable;
            _journal.Append(entry);
            return new LogAppend(LogStatus.Ok, baseOffset, next - 1, durable);
        }
    }

    /// <summary>Completes when the record at <paramref name="offset"/>, which was appended before, is durable, or never will be.</summary>
    public ValueTask<LogStatus> WaitDurableAsync(long offset)
    {
        if (offset < HighWatermark)
            return new ValueTask<LogStatus>(LogStatus.Ok);
        var waiting = _waiters.Add(offset);
        _waiters.Advance(HighWatermark, _status == LogStatus.Ok || InFlight ? LogStatus.Ok : _status);
        return new ValueTask<LogStatus>(waiting);
    }

    /// <summary>Whether the log was closed in good order and its last appends are still on their way.</summary>
    private bool InFlight => _sealing.Leaving && !_fenced;

    /// <summary>
    /// Whole batches from the one that holds <paramref name="offset"/> on, up to <paramref name="upTo"/> and never beyond the high watermark. Completes
    /// synchronously where they are hot. Empty at the limit; OutOfRange below the log's start or above its end; NotLeader once the log is retired.
    /// </summary>
    public ValueTask<LogRead> ReadAsync(long offset, int maxBytes, bool atLeastOne, long upTo, CancellationToken cancel)
    {
        if (_retired)
            return new ValueTask<LogRead>(new LogRead(LogStatus.NotLeader, default, null));
        if (offset < LogStartOffset || offset > EndOffset)
            return new ValueTask<LogRead>(new LogRead(LogStatus.OutOfRange, default, null));
        var limit = Math.Min(upTo, HighWatermark);
        if (offset >= limit || (maxBytes <= 0 && !atLeastOne))
            return new ValueTask<LogRead>(new LogRead(LogStatus.Ok, default, null));
        return _hot.TryRead(offset, limit, maxBytes, atLeastOne, out var read)
            ? new ValueTask<LogRead>(read)
            : Guarded(_cold.ReadAsync(_hot, offset, limit, maxBytes, atLeastOne, cancel));
    }

    /// <summary>The first batch below <paramref name="upTo"/> with a timestamp not below the given one (milliseconds); empty where there is none.</summary>
    public ValueTask<LogRead> FindTimestampAsync(long timestamp, long upTo, CancellationToken cancel) =>
        Guarded(_cold.FindTimestampAsync(_hot, timestamp, Math.Min(upTo, HighWatermark), cancel));

    /// <summary>What is known of timestamps below <paramref name="upTo"/> without reading a batch.</summary>
    public async ValueTask<LiveTimestamps> TimestampsAsync(long upTo, CancellationToken cancel)
    {
        try
        {
            return await _cold.TimestampsAsync(_hot, Math.Min(upTo, HighWatermark), cancel);
        }
        catch (Ports.ObjectNotFoundException e)
        {
            return new LiveTimestamps(await StatusOfMissingAsync(e), RecordBatchLayout.NoTimestamp, LogStartOffset);
        }
        catch (IOException e)
        {
            return new LiveTimestamps(StatusOf(e), RecordBatchLayout.NoTimestamp, LogStartOffset);
        }
    }

    /// <summary>The largest leader epoch not above the given one, and the offset after its last record; (-1, -1) where it is not known.</summary>
    public (int LeaderEpoch, long EndOffset) EndOfEpoch(int leaderEpoch) => _epochs.EndOf(leaderEpoch, EndOffset);

    /// <summary>The leader epoch of the record at an offset; -1 where it is not known.</summary>
    public int EpochOf(long offset) => _epochs.EpochOf(offset);

    /// <summary>
    /// Makes <paramref name="offset"/> the first that can be read, durably (DeleteRecords, retention): Ok also where the log begins there or later already;
    /// OutOfRange above the high watermark; NotLeader.
    /// </summary>
    public ValueTask<LogStatus> AdvanceStartAsync(long offset, CancellationToken cancel) => _trimmer.AdvanceStartAsync(offset, cancel);

    /// <summary>Where the log should begin by the limits, in whole sealed runs. Throws <see cref="Ports.StoreUnavailableException"/>.</summary>
    public ValueTask<long> RetainedFromAsync(RetentionLimits limits, CancellationToken cancel) => _trimmer.RetainedFromAsync(limits, cancel);

    /// <summary>Registers a watcher; dispose to unregister.</summary>
    public IDisposable Watch(ILogWatcher watcher) => _watchers.Add(watcher);

    /// <summary>The offset after everything that is sealed.</summary>
    public long SealedEndOffset => Manifest.Current.SealedEndOffset;

    /// <summary>Ends appends for good. Those in flight end as the journal says.</summary>
    internal void StepDown(LogStatus reason)
    {
        lock (Sync)
        {
            if (_status != LogStatus.Ok)
                return;
            _status = reason;
        }
        SteppedDownWith(reason);
    }

    private void SteppedDownWith(LogStatus reason)
    {
        _steppedDown.TrySetResult(reason);
        if (!InFlight)
            _waiters.Advance(HighWatermark, reason);
        _watchers.Notify();
    }

    /// <summary>Ends appends in good order: what is in flight becomes durable, everything is sealed, and the journal leaves the manifest.</summary>
    internal void Close()
    {
        lock (Sync)
        {
            _sealing.Leave();
            FreezeLocked();
            if (_status != LogStatus.Ok)
                return;
            _status = LogStatus.NotLeader;
        }
        SteppedDownWith(LogStatus.NotLeader);
    }

    /// <summary>Called by an entry whose commit has ended, on the journal's loop.</summary>
    internal LogStatus Completed(AppendEntry entry, JournalOutcome outcome)
    {
        if (outcome != JournalOutcome.Durable)
        {
            _fenced = true;
            StepDown(_host.FencedStatus);
            _waiters.Advance(HighWatermark, _status);
            return _host.FencedStatus;
        }
        var highWatermark = entry.LastOffset + 1;
        // A full fence: a waiter that is being registered either sees this or is seen below.
        Interlocked.Exchange(ref _highWatermark, highWatermark);
        _waiters.Advance(highWatermark, LogStatus.Ok);
        _watchers.Notify();
        if (_sealing.ReadyFrom <= highWatermark)
            _host.Sealer.Ready(this);
        return LogStatus.Ok;
    }

    internal void EndWait(AppendEntry entry) => _host.Ports.Scheduler.EndWait(Id.Index, entry);

    /// <summary>Freezes what is not frozen yet, so that the sealer may take it once it is durable.</summary>
    internal void Freeze()
    {
        lock (Sync)
            FreezeLocked();
    }

    /// <summary>Bytes since the last freeze and when the first came (Unix milliseconds), and whether segment.ms has passed since.</summary>
    internal (long Bytes, bool Expired) Unfrozen(long nowMs)
    {
        lock (Sync)
            return (_tail.Bytes, _tail.Bytes > 0 && nowMs - _tail.SinceMs >= _config.SegmentMs);
    }

    /// <summary>Drops this log's hot memory: another log serves the partition, it was released, or it is deleted. Who waits for more is told.</summary>
    internal void Retire()
    {
        _retired = true;
        lock (Sync)
            _hot.Clear();
        _watchers.Notify();
    }

    private void RollBefore(int length)
    {
        var target = _host.Options.SealTargetBytes;
        // Runs end where chunks end if they can, so that no chunk is left half empty.
        var full = _tail.Bytes + length > Math.Min(_config.SegmentBytes, 2L * target);
        if (_tail.Bytes > 0 && (full || (_tail.Bytes >= target && _hot.NeedsPart(length))))
            FreezeLocked();
    }

    private void FreezeLocked()
    {
        if (_tail.Bytes == 0)
            return;
        _hot.Close();
        _tail.Freeze(_state.Snapshot());
        _sealing.Frozen(_tail.FirstFrozen!);
        if (_sealing.ReadyFrom <= HighWatermark)
            _host.Sealer.Ready(this);
    }

    private static void CheckWhole(in ReadOnlySequence<byte> batches)
    {
        var rest = batches;
        do
        {
            if (!RecordBatchHeader.TryRead(rest, out var header) || header.SizeInBytes > rest.Length || header.BatchLength < RecordBatchHeader.Size - RecordBatchLayout.LengthOverhead
                || header.LastOffsetDelta < 0)
                throw new ArgumentException("an append is not a sequence of whole record batches", nameof(batches));
            rest = rest.Slice(header.SizeInBytes);
        }
        while (!rest.IsEmpty);
    }

    private async ValueTask<LogRead> Guarded(ValueTask<LogRead> reading)
    {
        try
        {
            return await reading;
        }
        catch (Ports.ObjectNotFoundException e)
        {
            return new LogRead(await StatusOfMissingAsync(e), default, null);
        }
        catch (IOException e)
        {
            return new LogRead(StatusOf(e), default, null);
        }
    }

    /// <summary>
    /// A sealed object is gone: damage, unless another process leads the partition by now, and has deleted records that this one still believes to be there.
    /// </summary>
    private async ValueTask<LogStatus> StatusOfMissingAsync(Ports.ObjectNotFoundException error)
    {
        if (Status != LogStatus.Ok)
            return LogStatus.NotLeader;
        try
        {
            if (await _host.Manifests.LoadAsync(Id, CancellationToken.None) is { } stored && ManifestCodec.Decode(Id, stored.Content.Span).LeaderEpoch == LeaderEpoch)
                return StatusOf(error);
        }
        catch (IOException e)
        {
            return StatusOf(e);
        }
        StepDown(LogStatus.NotLeader);
        return LogStatus.NotLeader;
    }

    /// <summary>What a failed read of sealed data is to the reader; a line in the log where it will not pass by itself.</summary>
    private LogStatus StatusOf(IOException error)
    {
        switch (error)
        {
            case Ports.StoreUnavailableException:
                return LogStatus.StoreUnavailable;
            case LogCorruptException when Retired:
                // Its hot memory went while this read was on its way: another log serves the partition.
                return LogStatus.NotLeader;
            default:
                _logger.LogError(error, "Partition {Partition}: sealed data cannot be read.", Id);
                return LogStatus.Corrupt;
        }
    }
}

/// <summary>The timestamps of a log, as far as they are known without reading a batch.</summary>
/// <param name="Status">How the look ended.</param>
/// <param name="Max">The largest of the runs and hot parts that lie behind the log's start as a whole, in milliseconds; -1 where there is none.</param>
/// <param name="MixedUpTo">
/// Where the run or part ends in which the log begins: of the records before, only reading them tells which are still there. The log's start where none does.
/// </param>
public readonly record struct LiveTimestamps(LogStatus Status, long Max, long MixedUpTo);
