using OrleansStream.Protocol.Records;
using OrleansStream.Storage.Journals;
using OrleansStream.Storage.Memory;

namespace OrleansStream.Storage.Logs;

/// <summary>What a dead journal held of one partition under one leader epoch, copied into hot parts.</summary>
internal sealed class ReplayedTail(ChunkPool pool)
{
    private readonly List<HotPart> _parts = [];
    private long _bytes;

    public static ReplayedTail Empty(ChunkPool pool) => new(pool);

    public IReadOnlyList<HotPart> Parts => _parts;

    public bool IsEmpty => _parts.Count == 0;
    public long BaseOffset => _parts[0].BaseOffset;
    public long NextOffset => _parts[^1].NextOffset;

    /// <summary>A gap or an overlap between two entries, in words; null where they follow each other.</summary>
    public string? Contradiction { get; private set; }

    public void Add(ReplayedEntry entry)
    {
        if (!IsEmpty && entry.BaseOffset != NextOffset)
        {
            Contradiction ??= $"partition {entry.Partition}, leader epoch {entry.LeaderEpoch}: an entry begins at offset {entry.BaseOffset} where {NextOffset} should follow";
            return;
        }
        var length = entry.Payload.Length;
        if (IsEmpty || _parts[^1].Free < length)
        {
            // Chunks grow with what comes, as those of a live partition do.
            var wanted = ChunkPool.ClassFor((int)Math.Min(_bytes / 4, ChunkPool.SizeClasses[^1]));
            _parts.Add(new HotPart(pool.Rent(length, wanted), entry.BaseOffset));
        }
        var part = _parts[^1];
        entry.Payload.CopyTo(part.Tail.Span);
        for (var at = 0; at < length;)
        {
            var header = RecordBatchHeader.Read(entry.Payload[at..]);
            if (header.SizeInBytes > length - at || header.BaseOffset != part.NextOffset)
            {
                Contradiction ??= $"partition {entry.Partition}, leader epoch {entry.LeaderEpoch}: the entry at offset {entry.BaseOffset} is not a sequence of whole batches";
                return;
            }
            part.Add(header);
            at += (int)header.SizeInBytes;
        }
        if (part.NextOffset != entry.LastOffset + 1)
            Contradiction ??= $"partition {entry.Partition}, leader epoch {entry.LeaderEpoch}: the entry at offset {entry.BaseOffset} should end at {entry.LastOffset} and ends at {part.NextOffset - 1}";
        _bytes += length;
    }

    /// <summary>Lets go of the parts that end at or before an offset.</summary>
    public void DropBelow(long offset)
    {
        var count = 0;
        while (count < _parts.Count && _parts[count].NextOffset <= offset)
            _parts[count++].Chunk.Release();
        _parts.RemoveRange(0, count);
    }

    public void Release()
    {
        foreach (var part in _parts)
            part.Chunk.Release();
        _parts.Clear();
    }
}
