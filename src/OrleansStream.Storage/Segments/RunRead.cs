using System.Buffers;
using OrleansStream.Protocol.Records;

namespace OrleansStream.Storage.Segments;

/// <summary>One read of one run under way: the extents pinned so far, which are adjacent, and the checked chunks within them.</summary>
internal sealed class RunRead(ReadCache cache, SealedRun run, SegmentIndex index) : IDisposable
{
    private readonly List<Extent> _pinned = [];

    /// <summary>
    /// The bytes of a chunk, once they match their checksum. Null where memory is short and they are not <paramref name="required"/>.
    /// </summary>
    /// <param name="until">How far (in the object) this read will probably go: loaded in the same go.</param>
    public async ValueTask<ReadOnlySequence<byte>?> ChunkAsync(int chunk, long until, bool required, CancellationToken cancel)
    {
        var from = run.Position + index.Chunks[chunk].Position;
        var to = from + index.ChunkLength(chunk);
        var at = _pinned.Count == 0 ? from : Math.Max(from, _pinned[^1].End);
        while (at < to)
        {
            if (await cache.PinAsync(run, at, Math.Max(until, to), required, cancel) is not { } extent)
                return null;
            _pinned.Add(extent);
            at = extent.End;
        }
        var bytes = Slice(from, to);
        Check(chunk, from, to, bytes);
        return bytes;
    }

    /// <summary>Bytes [from, to) of the object, within what is pinned.</summary>
    public ReadOnlySequence<byte> Slice(long from, long to)
    {
        SequenceBuilder? several = null;
        foreach (var extent in _pinned)
        {
            if (extent.End <= from || extent.Start >= to)
                continue;
            var part = extent.Slice(Math.Max(from, extent.Start), Math.Min(to, extent.End));
            if (part.Length == to - from)
                return new ReadOnlySequence<byte>(part);
            (several ??= new SequenceBuilder()).Add(part);
        }
        return several?.Build() ?? default;
    }

    /// <summary>Ends the read with bytes [from, to) of the object: their pins go over to the result.</summary>
    public SegmentRead Finish(long from, long to)
    {
        var bytes = Slice(from, to);
        var kept = _pinned.FindAll(e => e.Start < to && e.End > from);
        foreach (var extent in _pinned)
        {
            if (!kept.Contains(extent))
                cache.Unpin(extent);
        }
        _pinned.Clear();
        return new SegmentRead(bytes, cache, [.. kept]);
    }

    public void Dispose()
    {
        foreach (var extent in _pinned)
            cache.Unpin(extent);
        _pinned.Clear();
    }

    private void Check(int chunk, long from, long to, ReadOnlySequence<byte> bytes)
    {
        var touched = _pinned.FindAll(e => e.Start < to && e.End > from);
        if (touched.TrueForAll(e => cache.IsChecked(e, from, to)))
            return;
        if (Crc32C.Compute(bytes) != index.Chunks[chunk].Crc)
        {
            touched.ForEach(cache.Discard);
            throw new SegmentCorruptException(
                $"'{run.ObjectName}' does not match its checksum in bytes {from} to {to}, {run.Partition} from offset {index.Chunks[chunk].BaseOffset} on");
        }
        touched.ForEach(e => cache.MarkChecked(e, from, to));
    }
}
