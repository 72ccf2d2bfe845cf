using System.Buffers;
using System.Collections.Immutable;
using OrleansStream.Storage.Ports;
using OrleansStream.Storage.Segments;

namespace OrleansStream.Storage.Logs;

/// <summary>How one log's frozen runs become part of its manifest. One run at a time, in order; <see cref="Sealer"/> sees to that.</summary>
internal sealed class LogSealing(PartitionLog log, LogHost host, OpenedLog opened)
{
    /// <summary>More runs than this in a manifest, and the oldest move to an index object: 200 of about 130 bytes stay well below 64 KiB.</summary>
    internal const int MaxRuns = 200;

    private const int KeptRuns = 50;

    private readonly OwnedManifest _manifest = opened.Manifest;
    private readonly UnsealedTail _tail = opened.Tail;
    private readonly EpochCache _epochs = opened.Epochs;
    private readonly ImmutableDictionary<ListedJournal, long> _earlierEnds = opened.EarlierEnds;
    private FrozenRun? _next = opened.Tail.FirstFrozen;
    private volatile bool _leaving;

    /// <summary>The sealer's: whether this log waits in its queue or is in one of its jobs.</summary>
    public bool Queued { get; set; }

    /// <summary>The high watermark from which on the first frozen run may be sealed.</summary>
    public long ReadyFrom => Volatile.Read(ref _next)?.EndOffset ?? long.MaxValue;

    /// <summary>Whether the log is being closed in good order: its journal leaves the manifest with the last run.</summary>
    public bool Leaving => _leaving;

    /// <summary>Whether there is something to do for the sealer: a durable run, or journals of earlier owners that hold nothing any more.</summary>
    public bool Ready => !log.Retired && !_manifest.Lost && (ReadyFrom <= log.HighWatermark || HasStaleJournals);

    /// <summary>The first frozen run, if it is durable. No lock: the sealer asks under its own, which is taken under the log's elsewhere.</summary>
    public FrozenRun? NextRun => Volatile.Read(ref _next) is { } run && run.EndOffset <= log.HighWatermark ? run : null;

    public long FrozenBytes
    {
        get
        {
            lock (log.Sync)
                return _tail.FrozenBytes;
        }
    }

    /// <summary>Whether everything is sealed and no journal is listed any more.</summary>
    public bool Gone => Leaving && _manifest.Current is { } now && now.Journals.IsEmpty && now.SealedEndOffset == log.EndOffset;

    private bool HasStaleJournals
    {
        get
        {
            var now = _manifest.Current;
            return KeptJournals(now, now.SealedEndOffset).Length < now.Journals.Length;
        }
    }

    /// <summary>Under the log's lock. A full fence: whoever moves the high watermark meanwhile sees the run, or the caller sees the high watermark.</summary>
    public void Frozen(FrozenRun first) => Interlocked.Exchange(ref _next, first);

    public void Leave() => _leaving = true;

    /// <summary>
    /// Makes a sealed run count. False: the manifest belongs to somebody else by now, and the log has stepped down.
    /// </summary>
    public async ValueTask<bool> CommitAsync(FrozenRun run, SealedRun sealedRun, CancellationToken cancel)
    {
        if (!await SwapAsync(now => Append(now, run, sealedRun), cancel))
            return false;
        log.Journal.Sealed(log.Id, log.LeaderEpoch, run.EndOffset);
        lock (log.Sync)
        {
            _tail.Sealed(run);
            Interlocked.Exchange(ref _next, _tail.FirstFrozen);
        }
        foreach (var part in run.Parts)
            host.Memory.AddEvictable(part);
        return true;
    }

    /// <summary>Takes journals off the manifest's list that hold nothing unsealed any more. False as above.</summary>
    public ValueTask<bool> DropJournalsAsync(CancellationToken cancel) => SwapAsync(
        now =>
        {
            var kept = KeptJournals(now, now.SealedEndOffset);
            return kept.Length == now.Journals.Length ? null : now with { Journals = kept, EpochStarts = _epochs.Starts };
        },
        cancel);

    private async ValueTask<bool> SwapAsync(Func<Manifest, Manifest?> change, CancellationToken cancel)
    {
        if (await _manifest.ChangeAsync(async now => change(now) is { } next ? await MoveOldRunsAsync(next, cancel) : null, cancel))
            return true;
        log.StepDown(LogStatus.NotLeader);
        return false;
    }

    private Manifest Append(Manifest now, FrozenRun run, SealedRun sealedRun)
    {
        if (now.SealedEndOffset != run.BaseOffset || sealedRun.BaseOffset != run.BaseOffset || sealedRun.LastOffset + 1 != run.EndOffset)
            throw new InvalidOperationException($"Partition {log.Id}: run {run.BaseOffset} to {run.EndOffset} does not continue what is sealed up to {now.SealedEndOffset}.");
        var inline = run.Snapshot.Length <= ManifestCodec.MaxInlineSnapshot;
        return now with
        {
            Runs = now.Runs.Add(sealedRun),
            SealedEndOffset = run.EndOffset,
            EpochStarts = _epochs.Starts,
            ProducerSnapshot = inline ? run.Snapshot : (ReadOnlyMemory<byte>?)null,
            SnapshotRun = inline ? null : sealedRun,
            Journals = KeptJournals(now, run.EndOffset),
        };
    }

    /// <summary>
    /// An entry of the list goes when all that its journal holds of this partition under its epoch is sealed; the own one only when the log takes no
    /// more appends.
    /// </summary>
    private ImmutableArray<ListedJournal> KeptJournals(Manifest now, long sealedEnd) => now.Journals.RemoveAll(journal =>
        journal.LeaderEpoch == log.LeaderEpoch
            ? Leaving && sealedEnd == log.EndOffset
            : _earlierEnds.TryGetValue(journal, out var end) && end <= sealedEnd);

    private async ValueTask<Manifest> MoveOldRunsAsync(Manifest next, CancellationToken cancel)
    {
        if (next.Runs.Length <= MaxRuns)
            return next;
        var old = next.Runs[..^KeptRuns];
        var content = new ReadOnlySequence<byte>(ManifestCodec.EncodeIndex(log.Id, old));
        var backoff = new Backoff(host.Ports.Time, host.Options);
        while (true)
        {
            // A name that ended unknown is not used again; the sweep finds it.
            var name = ManifestNames.Index(log.Id, old[0].BaseOffset, log.LeaderEpoch, host.Ports.Random);
            if (await CreatedAsync(name, content, cancel))
            {
                var index = new RunIndex(name, old[0].BaseOffset, old[^1].LastOffset, old.Sum(static run => run.Length), old.Max(static run => run.MaxTimestamp));
                return next with { Indexes = next.Indexes.Add(index), Runs = next.Runs[^KeptRuns..] };
            }
            await backoff.PauseAsync(cancel);
        }
    }

    private async ValueTask<bool> CreatedAsync(string name, ReadOnlySequence<byte> content, CancellationToken cancel)
    {
        try
        {
            return (await host.Store.CreateAsync(name, content, cancel)).Outcome == PutOutcome.Done;
        }
        catch (StoreUnavailableException)
        {
            return false;
        }
    }
}
