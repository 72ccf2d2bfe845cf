using System.Collections.Concurrent;
using Microsoft.Extensions.Logging;
using OrleansStream.Storage.Ports;

namespace OrleansStream.Storage.Journals.Disk;

/// <summary>
/// Journals of one process alone, in a folder that it has locked: a ring of recycled files. Other processes cannot reach them, so the only journal that can
/// be fenced is one's own. Thread-safe.
/// </summary>
public sealed class DiskJournalSystem(IJournalFolder folder, RuntimePorts ports, DiskJournalOptions options) : IJournalSystem
{
    private readonly FileRing _ring = new(folder, ports, options);
    private readonly ILogger _log = ports.Logs.CreateLogger<DiskJournalSystem>();

    // What this process wrote itself: it alone knows which of its last blocks were synced.
    private readonly ConcurrentDictionary<Guid, DiskJournal> _own = new();

    public bool Shared => false;

    public async ValueTask<IJournal> OpenAsync(CancellationToken cancel)
    {
        await _ring.StartAsync(cancel);
        var id = ports.Random.NextGuid();
        var file = await _ring.TakeAsync(options.FileBytes, cancel);
        try
        {
            var journal = await DiskJournal.StartAsync(id, file, _ring, ports, options);
            _own[id] = journal;
            return journal;
        }
        catch
        {
            _ring.Doubt(file.Name);
            _ring.Release(file.Name);
            await file.DisposeAsync();
            throw;
        }
    }

    public async ValueTask FenceAsync(Guid journalId, CancellationToken cancel)
    {
        if (_own.TryGetValue(journalId, out var journal))
        {
            await journal.GiveUpAsync("the journal was fenced by its own process", cancel);
        }
    }

    public async ValueTask ReplayAsync(Guid journalId, IJournalReplay replay, CancellationToken cancel)
    {
        await _ring.StartAsync(cancel);
        await new DiskReplay(folder, ports, options, journalId, replay).RunAsync(DeadSince(journalId, "replayed")?.LastDurable, cancel);
    }

    public async ValueTask DeleteAsync(Guid journalId, CancellationToken cancel)
    {
        await _ring.StartAsync(cancel);
        DeadSince(journalId, "deleted");
        foreach (var file in await JournalFiles.ScanAsync(folder, _log, cancel))
        {
            if (file.First.Incarnation == journalId && !_ring.InUse(file.Name))
            {
                await _ring.RetireAsync(file.Name, cancel);
            }
        }

        await folder.DeleteAsync(RingFileName.Fence(journalId), cancel);
        _own.TryRemove(journalId, out _);
    }

    public async ValueTask<IReadOnlyList<Guid>> ListAsync(CancellationToken cancel)
    {
        await _ring.StartAsync(cancel);
        var ids = new List<Guid>();
        foreach (var file in await JournalFiles.ScanAsync(folder, _log, cancel))
        {
            if (!ids.Contains(file.First.Incarnation))
            {
                ids.Add(file.First.Incarnation);
            }
        }

        // A crash while a journal was being deleted can leave its fence behind.
        foreach (var file in folder.List())
        {
            if (file.Name.StartsWith(RingFileName.FencePrefix, StringComparison.Ordinal)
                && Guid.TryParseExact(file.Name.AsSpan(RingFileName.FencePrefix.Length), "N", out var id) && !ids.Contains(id))
            {
                ids.Add(id);
            }
        }

        return ids;
    }

    private DiskJournal? DeadSince(Guid journalId, string what)
    {
        if (_own.TryGetValue(journalId, out var journal) && !journal.Closed.IsCompleted)
        {
            throw new InvalidOperationException($"journal {journalId:N} is open and cannot be {what}");
        }

        return journal;
    }
}
