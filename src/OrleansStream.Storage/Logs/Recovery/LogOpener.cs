using System.Collections.Immutable;
using OrleansStream.Protocol.Records;
using OrleansStream.Storage.Journals;
using OrleansStream.Storage.Ports;
using OrleansStream.Storage.Segments;

namespace OrleansStream.Storage.Logs;

/// <summary>
/// Takes ownership of a partition: swaps the manifest for the next leader epoch, fences the journals of earlier owners, replays them, and gathers
/// what the log then serves.
/// </summary>
internal sealed class LogOpener(LogHost host, PartitionId id, ILogState state, LogConfig config)
{
    /// <summary>Other processes may want the partition too; whoever swaps last has it.</summary>
    private const int MaxSwaps = 10;

    /// <summary>Tries of one swap against a store that does not answer, before the caller is told to come again.</summary>
    private const int MaxTries = 4;

    private readonly Backoff _backoff = new(host.Ports.Time, host.Options);

    public async ValueTask<OpenedLog> OpenAsync(IJournal journal, Func<ListedJournal, bool> emptyInOwnJournal, CancellationToken cancel)
    {
        // 1. The next epoch is ours as soon as the manifest says so.
        var (manifest, etag, earlier) = await SwapAsync(journal, emptyInOwnJournal, cancel);

        // 2 and 3. Earlier journals, oldest first; each is fenced before it is read.
        List<(ListedJournal Journal, ReplayedTail Tail)> tails = [];
        try
        {
            foreach (var listed in earlier)
            {
                // Left by an opening of this process that failed before it served, so nothing was appended; or by a log that has sealed everything.
                if (listed.JournalId == journal.Id)
                    continue;
                tails.Add((listed, await host.Dead.TakeAsync(listed, id, cancel)));
            }
            return await GatherAsync(manifest, etag, journal, earlier, tails, cancel);
        }
        catch
        {
            foreach (var (_, tail) in tails)
                tail.Release();
            throw;
        }
    }

    private async ValueTask<(Manifest Manifest, string ETag, ImmutableArray<ListedJournal> Earlier)> SwapAsync(
        IJournal journal, Func<ListedJournal, bool> emptyInOwnJournal, CancellationToken cancel)
    {
        for (var swaps = 0; swaps < MaxSwaps; swaps++)
        {
            var stored = await host.Manifests.LoadAsync(id, cancel);
            var before = stored is null ? Manifest.Empty : ManifestCodec.Decode(id, stored.Content.Span);
            if (before.Journals.Any(listed => listed.JournalId == journal.Id && !emptyInOwnJournal(listed)))
            {
                // A journal that is being written cannot be replayed, and this one was fenced by whoever took the partition, or is about to be.
                host.GiveUp(journal);
                throw new LogUnavailableException($"This process's journal still holds records of partition {id}, which it has lost.");
            }
            var epoch = before.LeaderEpoch + 1;
            var next = before with { LeaderEpoch = epoch, Journals = before.Journals.Add(new ListedJournal(epoch, journal.Id)) };
            var bytes = ManifestCodec.Encode(id, next);
            var swapped = await ManifestSwap.RunAsync(host.Manifests, id, bytes, stored?.ETag, _backoff, MaxTries, cancel);
            if (swapped.Outcome == PutOutcome.Done)
                return (next, swapped.ETag!, before.Journals);
        }
        throw new LogUnavailableException($"Partition {id} is being taken by other processes at the same time.");
    }

    private async ValueTask<OpenedLog> GatherAsync(
        Manifest manifest, string etag, IJournal journal, ImmutableArray<ListedJournal> earlier,
        List<(ListedJournal Journal, ReplayedTail Tail)> tails, CancellationToken cancel)
    {
        var snapshot = await SnapshotAsync(manifest, cancel);
        try
        {
            state.Load(snapshot.Span);
        }
        catch (UnsupportedFormatException e)
        {
            throw new UnsupportedFormatException($"Partition {id}: {e.Message}", e);
        }
        var hot = new HotSegment(host.Pool, host.Ports.Time);
        var unsealed = new UnsealedTail(manifest.SealedEndOffset);
        var epochs = new EpochCache(manifest.EpochStarts);
        var ends = ImmutableDictionary.CreateBuilder<ListedJournal, long>();
        var end = manifest.SealedEndOffset;

        // Two passes: nothing changes hands before everything is known to fit.
        foreach (var (listed, tail) in tails)
        {
            tail.DropBelow(manifest.SealedEndOffset);
            if (!tail.IsEmpty)
            {
                var continues = tail.BaseOffset == end || (end == manifest.SealedEndOffset && tail.BaseOffset <= end);
                if (!continues)
                {
                    throw new LogCorruptException(
                        $"Partition {id}: journal {listed.JournalId:N} begins at offset {tail.BaseOffset} under leader epoch {listed.LeaderEpoch}, where {end} should follow.");
                }
                end = tail.NextOffset;
            }
            ends[listed] = end;
        }
        foreach (var listed in earlier)
            ends.TryAdd(listed, manifest.SealedEndOffset);

        foreach (var (_, tail) in tails)
        {
            foreach (var part in tail.Parts)
                Adopt(part, manifest.SealedEndOffset, hot, unsealed, epochs);
        }
        // What was replayed is sealed soon, so that the journals of the dead can go.
        unsealed.Freeze(state.Snapshot());
        epochs.Assign(manifest.LeaderEpoch, end);
        var owned = new OwnedManifest(id, manifest, etag, host.Manifests, host.Ports.Time, host.Options);
        return new OpenedLog(id, manifest.LeaderEpoch, owned, journal, state, config, hot, unsealed, epochs, ends.ToImmutable(), end);
    }

    private void Adopt(HotPart part, long sealedEnd, HotSegment hot, UnsealedTail unsealed, EpochCache epochs)
    {
        var bytes = part.Chunk.Memory.Span[..part.Used];
        for (var at = 0; at < bytes.Length;)
        {
            var header = RecordBatchHeader.Read(bytes[at..]);
            var size = (int)header.SizeInBytes;
            // A run ends where an append ended, so a batch lies on one side of the sealed end.
            if (header.BaseOffset >= sealedEnd)
            {
                state.Apply(bytes.Slice(at, size));
                epochs.Assign(header.PartitionLeaderEpoch, header.BaseOffset);
            }
            at += size;
        }
        hot.Adopt(part);
        unsealed.Added(part, part.Used, host.Ports.NowMilliseconds);
        if (unsealed.Bytes >= host.Options.SealTargetBytes)
            unsealed.Freeze(state.Snapshot());
    }

    private async ValueTask<ReadOnlyMemory<byte>> SnapshotAsync(Manifest manifest, CancellationToken cancel)
    {
        if (manifest.ProducerSnapshot is { } inline)
            return inline;
        var run = manifest.SnapshotRun ?? throw new LogCorruptException($"Partition {id}: the manifest names no producer snapshot.");
        return (await host.Segments.ReadIndexAsync(run, cancel)).ProducerSnapshot;
    }
}
