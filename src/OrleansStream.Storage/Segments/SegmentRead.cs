using System.Buffers;

namespace OrleansStream.Storage.Segments;

/// <summary>Record batches out of the read cache. The bytes stay where they are until this is disposed, once.</summary>
public sealed class SegmentRead : IDisposable
{
    public static SegmentRead Empty { get; } = new(default, []);

    private readonly ReadCache.Pin[] _pins;
    private int _disposed;

    internal SegmentRead(ReadOnlySequence<byte> batches, ReadCache.Pin[] pins)
    {
        Batches = batches;
        _pins = pins;
    }

    /// <summary>Whole record batches, the first holding the offset or timestamp that was asked for. Empty where nothing fits.</summary>
    public ReadOnlySequence<byte> Batches { get; }

    public void Dispose()
    {
        if (Interlocked.Exchange(ref _disposed, 1) != 0)
            return;
        foreach (var pin in _pins)
            pin.Release();
    }
}
