using System.Buffers;

namespace OrleansStream.Storage.Segments;

/// <summary>Record batches out of the read cache. The bytes stay where they are until this is disposed.</summary>
public sealed class SegmentRead : IDisposable
{
    private readonly ReadCache? _cache;
    private Extent[]? _pinned;

    private SegmentRead() { }

    internal SegmentRead(ReadOnlySequence<byte> batches, ReadCache cache, Extent[] pinned)
    {
        Batches = batches;
        _cache = cache;
        _pinned = pinned;
    }

    public static SegmentRead Empty { get; } = new();

    /// <summary>Whole record batches, the first holding the offset or timestamp that was asked for. Empty where nothing fits.</summary>
    public ReadOnlySequence<byte> Batches { get; }

    public void Dispose()
    {
        foreach (var extent in Interlocked.Exchange(ref _pinned, null) ?? [])
            _cache!.Unpin(extent);
    }
}
