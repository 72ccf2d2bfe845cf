using System.Buffers;
using System.Collections.Concurrent;
using OrleansStream.Storage.Ports;

namespace OrleansStream.Storage.Journals.Blob;

/// <summary>
/// Journals as numbered immutable objects in a store that many processes share: <c>journal/&lt;journal id&gt;/&lt;sequence&gt;</c>. No leases, no clocks: a journal
/// ends where somebody created a marker at the sequence that its writer needs next. Thread-safe.
/// </summary>
public sealed class BlobJournalSystem(IObjectStore store, RuntimePorts ports, BlobJournalOptions options) : IJournalSystem
{
    private const int OpenTries = 5;
    private readonly ConcurrentDictionary<Guid, BlobJournal> _own = new();

    public bool Shared => true;

    public async ValueTask<IJournal> OpenAsync(CancellationToken cancel)
    {
        var random = new byte[16];
        ports.Random.Fill(random);
        var id = new Guid(random);
        var name = JournalObjectName.Of(id, 0);
        var first = new byte[BlockHeader.Size];
        new BlockHeader(BlockKind.StoreObject, id, 0, 0, ports.NowMilliseconds, 0, 0, 0, 0, 0).WriteWhole(first);
        for (var attempt = 1; ; attempt++)
        {
            var put = await store.CreateAsync(name, new ReadOnlySequence<byte>(first), cancel);
            if (put.Outcome == PutOutcome.Done
                || (await store.ReadAsync(name, cancel) is { } found && found.Content.Span.SequenceEqual(first)))
            {
                break;
            }

            if (attempt == OpenTries)
            {
                throw new StoreUnavailableException($"the store does not say whether '{name}' was created");
            }

            await Task.Delay(options.RetryDelay, ports.Time, cancel);
        }

        var journal = new BlobJournal(id, store, ports, options);
        _own[id] = journal;
        return journal;
    }

    public async ValueTask FenceAsync(Guid journalId, CancellationToken cancel)
    {
        await new BlobFence(store, ports, options, journalId).RunAsync(cancel);
        if (_own.TryGetValue(journalId, out var journal))
        {
            await journal.FencedAsync(cancel);
        }
    }

    public ValueTask ReplayAsync(Guid journalId, IJournalReplay replay, CancellationToken cancel) =>
        new BlobReplay(store, ports, options, journalId, replay).RunAsync(cancel);

    /// <summary>
    /// Fences first, so that deleting a journal that somebody has just opened and not named in a manifest yet costs that process a journal, and nobody any data.
    /// </summary>
    public async ValueTask DeleteAsync(Guid journalId, CancellationToken cancel)
    {
        await FenceAsync(journalId, cancel);
        var tombstone = new byte[BlockHeader.Size];
        new BlockHeader(BlockKind.FenceMarker, journalId, 0, 0, ports.NowMilliseconds, 0, 0, 0, 0, 0).WriteWhole(tombstone);
        var name = JournalObjectName.Tombstone(journalId);
        if ((await store.CreateAsync(name, new ReadOnlySequence<byte>(tombstone), cancel)).Outcome != PutOutcome.Done
            && await store.ReadAsync(name, cancel) is null)
        {
            throw new StoreUnavailableException($"the store does not say whether '{name}' was created");
        }

        var objects = await JournalObjects.ListAsync(store, journalId, options.AcceptLoss, cancel);
        foreach (var sequence in objects.Lengths.Keys)
        {
            if (!objects.IsMarker(sequence))
            {
                await store.DeleteAsync(JournalObjectName.Of(journalId, sequence), cancel);
            }
        }

        _own.TryRemove(journalId, out _);
    }

    public async ValueTask<IReadOnlyList<Guid>> ListAsync(CancellationToken cancel)
    {
        var ids = new List<Guid>();
        await foreach (var info in store.ListAsync(JournalObjectName.Root, cancel))
        {
            // Names come in order, so the objects of one journal stand together. A journal of which only markers are left has no data.
            if (info.Length != FenceMarker.Length && JournalObjectName.TryParse(info.Name, out var id, out _) && (ids.Count == 0 || ids[^1] != id))
            {
                ids.Add(id);
            }
        }

        return ids;
    }
}
