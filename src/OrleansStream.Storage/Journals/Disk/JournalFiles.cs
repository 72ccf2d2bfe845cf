using Microsoft.Extensions.Logging;
using OrleansStream.Storage.Ports;

namespace OrleansStream.Storage.Journals.Disk;

/// <summary>Which file belongs to which journal, as the first block of each says.</summary>
internal static class JournalFiles
{
    public readonly record struct Found(string Name, BlockHeader First);

    /// <summary>
    /// The files that begin with a block, in the order of their names, hence of writing. A recycled file that was not written again yet still
    /// shows its old first block: its number does not continue anything, so it misleads no replay.
    /// </summary>
    public static async ValueTask<List<Found>> ScanAsync(IJournalFolder folder, ILogger log, CancellationToken cancel)
    {
        var found = new List<Found>();
        var bytes = new byte[DiskJournal.Alignment];
        foreach (var info in folder.List())
        {
            if (!info.Name.StartsWith(RingFileName.JournalPrefix, StringComparison.Ordinal) || info.Length < DiskJournal.Alignment)
            {
                continue;
            }

            try
            {
                await using var file = await folder.OpenAsync(info.Name, null, cancel);
                await file.ReadAsync(0, bytes, cancel);
            }
            catch (IOException) when (!folder.List().Any(f => f.Name == info.Name))
            {
                // Recycled since it was listed: nobody needs what it held.
                continue;
            }

            BlockHeader.RefuseNewer(bytes, $"journal file '{info.Name}'");
            if (BlockHeader.TryRead(bytes, out var header))
            {
                found.Add(new Found(info.Name, header));
            }
            else if (bytes.AsSpan().ContainsAnyExcept((byte)0))
            {
                log.LogError("Journal file '{File}' begins with no valid block; it is left alone", info.Name);
            }
        }

        return found;
    }

    /// <summary>Where a dead journal was found to end, if it was replayed before.</summary>
    public static async ValueTask<BlockHeader?> ReadFenceAsync(IJournalFolder folder, Guid journalId, CancellationToken cancel)
    {
        var name = RingFileName.Fence(journalId);
        if (!folder.List().Any(f => f.Name == name && f.Length >= DiskJournal.Alignment))
        {
            return null;
        }

        await using var file = await folder.OpenAsync(name, null, cancel);
        var bytes = new byte[DiskJournal.Alignment];
        await file.ReadAsync(0, bytes, cancel);
        BlockHeader.RefuseNewer(bytes, $"journal file '{name}'");

        // A fence that tore when it was written was never relied upon.
        return BlockHeader.TryRead(bytes, out var header) && header.Kind == BlockKind.FenceMarker && header.Incarnation == journalId ? header : null;
    }

    /// <summary>Says durably where a dead journal ends, so that every later replay ends there too.</summary>
    public static async ValueTask WriteFenceAsync(IJournalFolder folder, Guid journalId, long lastNumber, long lowestKept, long nowMs, CancellationToken cancel)
    {
        var name = RingFileName.Fence(journalId);
        if (folder.List().Any(f => f.Name == name))
        {
            await folder.DeleteAsync(name, cancel);
        }

        await using var file = await folder.OpenAsync(name, DiskJournal.Alignment, cancel);
        var bytes = new byte[DiskJournal.Alignment];
        new BlockHeader(BlockKind.FenceMarker, journalId, lastNumber, lowestKept, nowMs, 0, 0, 0, lastNumber + 1, 0).WriteWhole(bytes);
        await file.WriteAsync(0, [bytes], cancel);
    }
}
