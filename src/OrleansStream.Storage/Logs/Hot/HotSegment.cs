using System.Buffers;
using OrleansStream.Storage.Memory;
using OrleansStream.Storage.Segments;

namespace OrleansStream.Storage.Logs;

/// <summary>
/// The tail of a partition in memory: parts that follow each other, the last open for appends, earlier ones frozen or sealed. The log's lock guards
/// the writer; readers take the current array of parts and reference counts, no lock.
/// </summary>
internal sealed class HotSegment(ChunkPool pool, TimeProvider time)
{
    /// <summary>A chunk that filled faster than this is followed by a larger one, one that took ten times as long by a smaller one.</summary>
    private static readonly TimeSpan FilledFast = TimeSpan.FromSeconds(1);

    // Apart from the log's lock: eviction comes from whichever thread needs memory, which may hold another log's lock.
    private readonly Lock _partsLock = new();
    private HotPart[] _parts = [];
    private HotPart? _active;
    private int _sizeClass;

    /// <summary>The parts now, in order of offsets. Sealed ones may be missing; a reader who meets a hole reads what is sealed.</summary>
    public HotPart[] Parts => Volatile.Read(ref _parts);

    public HotPart? Active => _active;

    /// <summary>Whether an append of <paramref name="length"/> bytes would begin a new part.</summary>
    public bool NeedsPart(int length) => _active is null || _active.Free < length;

    /// <summary>The part to which <paramref name="length"/> bytes can be appended: the active one, or a new one.</summary>
    public HotPart Reserve(int length, long nextOffset)
    {
        if (_active is { } active)
        {
            if (active.Free >= length)
                return active;
            Close();
        }
        var part = new HotPart(pool.Rent(length, _sizeClass), nextOffset) { FirstAppended = time.GetTimestamp() };
        _active = part;
        Add(part);
        return part;
    }

    /// <summary>Ends the active part: the next append begins another.</summary>
    public void Close()
    {
        if (_active is not { } active)
            return;
        _active = null;
        var took = time.GetElapsedTime(active.FirstAppended);
        if (active.Free > active.Chunk.Length / 2 || took > 10 * FilledFast)
            _sizeClass = Math.Max(0, _sizeClass - 1);
        else if (took < FilledFast)
            _sizeClass = Math.Min(pool.MaxClass, Math.Max(_sizeClass, active.Chunk.SizeClass) + 1);
    }

    /// <summary>Takes over a part that replay has filled.</summary>
    public void Adopt(HotPart part) => Add(part);

    private void Add(HotPart part)
    {
        part.Segment = this;
        lock (_partsLock)
            Volatile.Write(ref _parts, [.. _parts, part]);
    }

    /// <summary>Forgets a part and drops the segment's reference to its chunk.</summary>
    public void Remove(HotPart part)
    {
        lock (_partsLock)
        {
            var at = Array.IndexOf(_parts, part);
            if (at < 0)
                return;
            Volatile.Write(ref _parts, [.. _parts.AsSpan(0, at), .. _parts.AsSpan(at + 1)]);
        }
        part.Chunk.Release();
    }

    /// <summary>Forgets everything. Readers that hold references keep theirs.</summary>
    public void Clear()
    {
        HotPart[] gone;
        lock (_partsLock)
        {
            gone = _parts;
            Volatile.Write(ref _parts, []);
        }
        _active = null;
        foreach (var part in gone)
            part.Chunk.Release();
    }

    /// <summary>
    /// Reads whole batches from the one that holds <paramref name="offset"/> on. False where that offset is not hot. <paramref name="upTo"/> lies at the
    /// end of a batch or beyond the end.
    /// </summary>
    public bool TryRead(long offset, long upTo, int maxBytes, bool atLeastOne, out LogRead read)
    {
        read = default;
        var parts = Parts;
        var at = Find(parts, offset);
        if (at < 0 || !parts[at].Chunk.TryRetain())
            return false;
        var first = parts[at].Slice(offset, upTo, maxBytes, atLeastOne, out var more);
        if (!more || at + 1 == parts.Length || first.Length >= maxBytes)
        {
            // A part that ends below the offset: what follows was evicted, or is not written yet.
            if (first.IsEmpty && parts[at].NextOffset <= offset)
            {
                parts[at].Chunk.Release();
                return false;
            }
            read = new LogRead(LogStatus.Ok, new ReadOnlySequence<byte>(first), new ChunkHold(parts[at].Chunk));
            return true;
        }
        read = ReadOn(parts, at, first, upTo, maxBytes);
        return true;
    }

    private static LogRead ReadOn(HotPart[] parts, int at, ReadOnlyMemory<byte> first, long upTo, int maxBytes)
    {
        var hold = new ChunkHold(parts[at].Chunk);
        var joined = new SequenceBuilder();
        joined.Add(first);
        var left = maxBytes - first.Length;
        var more = true;
        for (var i = at + 1; more && i < parts.Length && left > 0; i++)
        {
            var part = parts[i];
            if (part.BaseOffset != parts[i - 1].NextOffset || !part.Chunk.TryRetain())
                break;
            var next = part.Slice(part.BaseOffset, upTo, left, atLeastOne: false, out more);
            if (next.IsEmpty)
            {
                part.Chunk.Release();
                break;
            }
            hold.Add(part.Chunk);
            joined.Add(next);
            left -= next.Length;
        }
        return new LogRead(LogStatus.Ok, joined.Build(), hold);
    }

    /// <summary>The last part that begins at or before the offset; -1 where there is none.</summary>
    private static int Find(HotPart[] parts, long offset)
    {
        var low = -1;
        var high = parts.Length;
        while (high - low > 1)
        {
            var middle = (low + high) / 2;
            if (parts[middle].BaseOffset <= offset)
                low = middle;
            else
                high = middle;
        }
        return low;
    }
}
