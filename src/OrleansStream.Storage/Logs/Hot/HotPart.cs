using OrleansStream.Protocol.Records;
using OrleansStream.Storage.Memory;

namespace OrleansStream.Storage.Logs;

/// <summary>One batch in a part: where it is, and what finds it.</summary>
internal readonly record struct HotBatch(long BaseOffset, long MaxTimestamp, int LastOffsetDelta, int Position)
{
    public long LastOffset => BaseOffset + LastOffsetDelta;
}

/// <summary>
/// Contiguous batches of one partition in one chunk. One writer at a time (under the log's lock) appends; readers need no lock: an entry of the
/// index is complete before the count that covers it is published, and bytes below the published end never change.
/// </summary>
internal sealed class HotPart(Chunk chunk, long baseOffset) : IEvictable
{
    private HotBatch[] _batches = new HotBatch[4];
    private int _count;

    /// <summary>The segment that lists this part; null while replay still gathers it.</summary>
    public HotSegment? Segment { get; set; }

    public Chunk Chunk { get; } = chunk;
    public long BaseOffset { get; } = baseOffset;

    /// <summary>Bytes written. Of the writer, or of anybody once the part is closed.</summary>
    public int Used { get; private set; }

    /// <summary>The offset after the last batch. Of the writer, or of anybody once the part is closed.</summary>
    public long NextOffset { get; private set; } = baseOffset;

    public int Free => Chunk.Length - Used;

    public Memory<byte> Tail => Chunk.Memory[Used..];

    /// <summary>When the first batch came, as a timestamp of the clock: how fast the chunk filled.</summary>
    public long FirstAppended { get; init; }

    /// <summary>Indexes the batch that the writer has put at the beginning of <see cref="Tail"/>, and publishes it.</summary>
    public void Add(in RecordBatchHeader header)
    {
        var count = _count;
        if (count == _batches.Length)
        {
            var larger = new HotBatch[count * 2];
            Array.Copy(_batches, larger, count);
            Volatile.Write(ref _batches, larger);
        }
        _batches[count] = new HotBatch(header.BaseOffset, header.MaxTimestamp, header.LastOffsetDelta, Used);
        Used += (int)header.SizeInBytes;
        NextOffset = header.NextOffset;
        Volatile.Write(ref _count, count + 1);
    }

    /// <summary>The batches that are published.</summary>
    public ReadOnlySpan<HotBatch> Batches
    {
        get
        {
            // The count first: an array read after it holds at least that many.
            var count = Volatile.Read(ref _count);
            return Volatile.Read(ref _batches).AsSpan(0, count);
        }
    }

    /// <summary>
    /// The range of whole batches from the one that holds <paramref name="offset"/> on, none with an offset at or above <paramref name="upTo"/>. The
    /// caller holds a reference to the chunk. <paramref name="more"/>: the part ended before the limits did.
    /// </summary>
    public ReadOnlyMemory<byte> Slice(long offset, long upTo, int maxBytes, bool atLeastOne, out bool more)
    {
        more = false;
        var batches = Batches;
        var first = IndexOf(batches, offset);
        if (first < 0 || batches[first].LastOffset >= upTo || batches[first].LastOffset < offset)
            return default;
        var from = batches[first].Position;
        // One past the last batch that lies below the limit of offsets.
        var end = batches.Length;
        if (batches[end - 1].LastOffset >= upTo)
            end = IndexOf(batches, upTo);
        var to = EndOf(batches[end - 1]);
        if (to - from <= maxBytes)
        {
            more = end == batches.Length;
            return Chunk.Memory[from..to];
        }
        var low = first;
        var high = end;
        // The last batch whose end fits; `low` may be the first even if it does not.
        while (high - low > 1)
        {
            var middle = (low + high) / 2;
            if (batches[middle].Position - from <= maxBytes)
                low = middle;
            else
                high = middle;
        }
        // Batches before `low` end where it begins, which fits; `low` itself does not, or it would have been passed.
        to = batches[low].Position;
        if (low + 1 <= end && EndOf(batches[low]) - from <= maxBytes)
            to = EndOf(batches[low]);
        if (to == from && atLeastOne)
            to = EndOf(batches[first]);
        return Chunk.Memory[from..to];
    }

    /// <summary>The first batch with a timestamp not below the wanted one; -1 where there is none.</summary>
    public int FindTimestamp(long timestamp, long upTo)
    {
        var batches = Batches;
        for (var i = 0; i < batches.Length && batches[i].LastOffset < upTo; i++)
        {
            if (batches[i].MaxTimestamp >= timestamp)
                return i;
        }
        return -1;
    }

    /// <summary>Largest timestamp of batches below <paramref name="upTo"/>; -1 where none has one.</summary>
    public long MaxTimestamp(long upTo)
    {
        var max = RecordBatchLayout.NoTimestamp;
        foreach (ref readonly var batch in Batches)
        {
            if (batch.LastOffset >= upTo)
                break;
            max = Math.Max(max, batch.MaxTimestamp);
        }
        return max;
    }

    public void Evict() => Segment?.Remove(this);

    /// <summary>The last batch that begins at or before <paramref name="offset"/>; -1 where all begin after it.</summary>
    private static int IndexOf(ReadOnlySpan<HotBatch> batches, long offset)
    {
        var low = -1;
        var high = batches.Length;
        while (high - low > 1)
        {
            var middle = (low + high) / 2;
            if (batches[middle].BaseOffset <= offset)
                low = middle;
            else
                high = middle;
        }
        return low;
    }

    private int EndOf(in HotBatch batch) =>
        batch.Position + RecordBatchHeader.ReadSize(Chunk.Memory.Span[batch.Position..]);
}
