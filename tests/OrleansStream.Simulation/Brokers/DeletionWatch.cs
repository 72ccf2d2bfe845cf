using OrleansStream.Simulation.Kit;
using OrleansStream.Storage.Journals;
using OrleansStream.Storage.Journals.Blob;
using OrleansStream.Storage.Journals.Disk;
using OrleansStream.Storage.Logs;

namespace OrleansStream.Simulation;

/// <summary>
/// I5: at the moment when journal data goes, every entry in it is below the sealed end (or the log's start) of a manifest that is in the store. What stands
/// behind the end of a fenced journal was never durable, and may go.
/// </summary>
internal sealed class DeletionWatch(SimulatedObjectStore store, History history) : IJournalReplay
{
    private string _what = "";

    /// <summary>How many entries were looked at, so that a test can say that there were any.</summary>
    public long Entries { get; private set; }

    public void ObjectGoes(string name, byte[] content)
    {
        if (JournalObjectName.TryParse(name, out var journal, out var sequence) && content.Length != FenceMarker.Length
            && !store.Objects.Any(o => o.Value.Content.Length == FenceMarker.Length && JournalObjectName.TryParse(o.Key, out var other, out var marker)
                && other == journal && marker < sequence))
        {
            Check(name, content);
        }
    }

    public void FileGoes(SimulatedDisk disk, string name, byte[] content)
    {
        if (!name.StartsWith(RingFileName.JournalPrefix, StringComparison.Ordinal))
        {
            return;
        }

        for (var at = 0; at < content.Length; at += DiskJournal.Alignment)
        {
            if (BlockHeader.TryRead(content.AsSpan(at), out var header) && header.Vouches(content.AsSpan(at))
                && !(disk.Files.TryGetValue(RingFileName.Fence(header.Incarnation), out var fence)
                    && BlockHeader.TryRead(fence, out var end) && header.Number > end.Number))
            {
                Check($"{name} at {at}", content.AsSpan(at));
            }
        }
    }

    private void Check(string what, ReadOnlySpan<byte> block)
    {
        _what = what;
        if (BlockHeader.TryRead(block, out var header))
        {
            EntryCodec.TryReplay(block.Slice(BlockHeader.Size, (int)header.EntriesLength), header.EntryCount, this);
        }
    }

    void IJournalReplay.Entry(ReplayedEntry entry)
    {
        Entries++;
        if (history.IsDoomed(entry.Partition.TopicId))
        {
            return;
        }

        if (!store.Objects.TryGetValue(ManifestNames.Manifest(entry.Partition), out var stored))
        {
            history.Broken("I5", entry.Partition, $"{_what} went, with offsets {entry.BaseOffset} to {entry.LastOffset}, and there is no manifest");
            return;
        }

        var manifest = ManifestCodec.Decode(entry.Partition, stored.Content);
        if (entry.LastOffset >= manifest.SealedEndOffset && entry.LastOffset >= manifest.LogStartOffset)
        {
            history.Broken("I5", entry.Partition, $"{_what} went, with offsets {entry.BaseOffset} to {entry.LastOffset} of leader epoch {entry.LeaderEpoch}, "
                + $"but the manifest ends at {manifest.SealedEndOffset}");
        }
    }
}
