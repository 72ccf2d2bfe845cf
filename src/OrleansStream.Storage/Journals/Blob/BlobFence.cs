using System.Buffers;
using OrleansStream.Storage.Ports;

namespace OrleansStream.Storage.Journals.Blob;

/// <summary>
/// Takes the next sequence away from a journal's writer, wherever that is.
/// <list type="number">
/// <item>Start behind the data objects that follow one another from the lowest sequence that the writer still keeps.</item>
/// <item>Create markers upward until one stands with nothing missing below it. The writer may be faster than one create at a time, so each round
/// tries twice as many; superfluous markers above the first do no harm.</item>
/// <item>Look again: had the writer trimmed past the marker meanwhile, a data object says so (its newest one is never trimmed), and the walk goes on from there.</item>
/// </list>
/// Several may fence at once, and a fence that was interrupted is finished by the next.
/// </summary>
internal sealed class BlobFence(IObjectStore store, RuntimePorts ports, BlobJournalOptions options, Guid journalId)
{
    private const int MaxWindow = 64;
    private const int MaxTries = 8;

    private enum Slot
    {
        Data,
        Marker,
        Trimmed,
    }

    /// <summary>Answers the sequence of the marker that ends the journal; -1 where its data was deleted, which only happens to a fenced journal.</summary>
    public async ValueTask<long> RunAsync(CancellationToken cancel)
    {
        var fencer = new byte[16];
        ports.Random.Fill(fencer);
        var id = new Guid(fencer);
        var durableBelow = 0L;
        while (true)
        {
            var objects = await JournalObjects.ListAsync(store, journalId, options.AcceptLoss, cancel);
            if (objects.Deleted)
            {
                return -1;
            }

            if (objects.End < durableBelow && !options.AcceptLoss)
            {
                throw new JournalCorruptException($"'{JournalObjectName.Of(journalId, objects.End)}' was durable and is no longer there");
            }

            // A listing comes in pages while the writer goes on: what lands behind it is missing, though a later page states that it is durable. Only what was
            // stated before a listing began must be in it.
            if (objects.End < objects.DurableBelow && !options.AcceptLoss)
            {
                durableBelow = objects.DurableBelow;
                continue;
            }

            if (objects.Fenced)
            {
                return objects.End;
            }

            if (await WalkAsync(id, objects.End, cancel) is { } marker
                && !((await JournalObjects.ListAsync(store, journalId, options.AcceptLoss, cancel)).LowestKept > marker))
            {
                return marker;
            }
        }
    }

    private async ValueTask<long?> WalkAsync(Guid fencer, long at, CancellationToken cancel)
    {
        for (var window = 1; ; window = Math.Min(window * 2, MaxWindow))
        {
            var slots = new Task<Slot>[window];
            for (var i = 0; i < window; i++)
            {
                slots[i] = TakeAsync(fencer, at + i, cancel);
            }

            // All of them end before the walk goes on: none may create a marker later, when nobody expects it.
            await Task.WhenAll(slots);
            for (var i = 0; i < window; i++)
            {
                switch (await slots[i])
                {
                    case Slot.Marker:
                        return at + i;
                    case Slot.Trimmed:
                        return null;
                }
            }

            at += window;
        }
    }

    private async Task<Slot> TakeAsync(Guid fencer, long sequence, CancellationToken cancel)
    {
        var name = JournalObjectName.Of(journalId, sequence);
        var marker = FenceMarker.Make(journalId, sequence, fencer, ports.NowMilliseconds);
        var delay = options.RetryDelay;
        for (var attempt = 0; attempt < MaxTries; attempt++)
        {
            var put = await store.CreateAsync(name, new ReadOnlySequence<byte>(marker), cancel);
            if (put.Outcome == PutOutcome.Done)
            {
                return Slot.Marker;
            }

            var header = new byte[BlockHeader.Size];
            try
            {
                await store.ReadRangeAsync(name, 0, header, cancel);
                return BlockHeader.TryRead(header, out var found) && found.Kind == BlockKind.FenceMarker ? Slot.Marker : Slot.Data;
            }
            catch (ObjectNotFoundException) when (put.Outcome == PutOutcome.Conflict)
            {
                return Slot.Trimmed;
            }
            catch (ObjectNotFoundException)
            {
                // Unknown, and not there: it may still be on its way, so the same again.
                await Task.Delay(delay, ports.Time, cancel);
                delay = delay * 2 < options.MaxRetryDelay ? delay * 2 : options.MaxRetryDelay;
            }
        }

        throw new StoreUnavailableException($"the store does not say whether '{name}' was created");
    }
}
