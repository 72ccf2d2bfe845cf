using System.Buffers;
using Microsoft.Extensions.Logging;
using OrleansStream.Storage.Ports;

namespace OrleansStream.Storage.Journals.Blob;

/// <summary>
/// Reads a fenced journal from the lowest sequence that its writer kept up to the first marker. What its writer put behind the marker is ignored: it was never
/// acknowledged. A writer that has not noticed yet may still trim; what it trims is sealed.
/// </summary>
internal sealed class BlobReplay(IObjectStore store, RuntimePorts ports, BlobJournalOptions options, Guid journalId, IJournalReplay replay)
{
    private readonly ILogger _log = ports.Logs.CreateLogger<BlobReplay>();

    public async ValueTask RunAsync(CancellationToken cancel)
    {
        var objects = await JournalObjects.ListAsync(store, journalId, options.AcceptLoss, cancel);
        if (objects.Deleted)
        {
            return;
        }

        if (objects.LowestKept is not { } first)
        {
            Damaged($"journal {journalId:N} has no objects");
            return;
        }

        if (objects.End < objects.DurableBelow)
        {
            Damaged($"'{JournalObjectName.Of(journalId, objects.End)}' was durable and is no longer there");
        }
        else if (!objects.Fenced)
        {
            throw new InvalidOperationException($"journal {journalId:N} must be fenced before it is replayed");
        }

        var ahead = new Queue<Task<Fetched>>();
        var next = first;
        long aheadBytes = 0;
        try
        {
            for (var sequence = first; sequence < objects.End; sequence++)
            {
                for (; next < objects.End && ahead.Count <= options.ReadAhead && (ahead.Count == 0 || aheadBytes < options.ReadAheadBytes); next++)
                {
                    ahead.Enqueue(FetchAsync(next, (int)objects.Lengths[next], cancel));
                    aheadBytes += objects.Lengths[next];
                }

                using var fetched = await ahead.Dequeue();
                aheadBytes -= objects.Lengths[sequence];
                if (!await HandOverAsync(sequence, fetched, cancel))
                {
                    return;
                }
            }
        }
        finally
        {
            foreach (var task in ahead)
            {
                try
                {
                    (await task).Dispose();
                }
                catch (IOException)
                {
                    // The failure that ended the replay is on its way already.
                }
            }
        }
    }

    private readonly struct Fetched(byte[]? buffer, int length) : IDisposable
    {
        public bool Missing => buffer is null;
        public ReadOnlySpan<byte> Bytes => buffer.AsSpan(0, length);

        public void Dispose()
        {
            if (buffer is not null)
            {
                ArrayPool<byte>.Shared.Return(buffer);
            }
        }
    }

    private async Task<Fetched> FetchAsync(long sequence, int length, CancellationToken cancel)
    {
        var buffer = ArrayPool<byte>.Shared.Rent(length);
        try
        {
            return new Fetched(buffer, await store.ReadRangeAsync(JournalObjectName.Of(journalId, sequence), 0, buffer.AsMemory(0, length), cancel));
        }
        catch (ObjectNotFoundException)
        {
            ArrayPool<byte>.Shared.Return(buffer);
            return new Fetched(null, 0);
        }
    }

    private async ValueTask<bool> HandOverAsync(long sequence, Fetched fetched, CancellationToken cancel)
    {
        var name = JournalObjectName.Of(journalId, sequence);
        if (fetched.Missing)
        {
            if ((await JournalObjects.ListAsync(store, journalId, options.AcceptLoss, cancel)).LowestKept > sequence)
            {
                return true;
            }

            Damaged($"'{name}' is missing");
            return false;
        }

        if (!BlockHeader.TryRead(fetched.Bytes, out var header) || header.Kind != BlockKind.StoreObject || header.Incarnation != journalId
            || header.Number != sequence || !header.Vouches(fetched.Bytes))
        {
            BlockHeader.RefuseNewer(fetched.Bytes, $"journal object '{name}'");
            Damaged($"'{name}' is damaged: its checksum is wrong");
            return false;
        }

        if (!EntryCodec.TryReplay(fetched.Bytes.Slice(BlockHeader.Size, (int)header.EntriesLength), header.EntryCount, replay))
        {
            throw new JournalCorruptException($"'{name}': the entries contradict the header");
        }

        return true;
    }

    private void Damaged(string what)
    {
        if (!options.AcceptLoss)
        {
            throw new JournalCorruptException(what + ". Nothing was changed. To start without what is lost, say so explicitly (accept loss)");
        }

        _log.LogError("Accepted loss: {What}", what);
    }
}
