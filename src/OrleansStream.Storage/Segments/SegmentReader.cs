using OrleansStream.Storage.Ports;

namespace OrleansStream.Storage.Segments;

/// <summary>Reads sealed runs through the read cache. Thread-safe.</summary>
/// <remarks>
/// All reads throw <see cref="StoreUnavailableException"/> while the store is away, <see cref="ObjectNotFoundException"/> where the object is gone (retention
/// met a reader), <see cref="SegmentCorruptException"/> where the bytes are not those that were sealed.
/// </remarks>
public sealed class SegmentReader(ReadCache cache)
{
    /// <summary>
    /// Whole batches from the one that holds <paramref name="offset"/> on, at most <paramref name="maxBytes"/>, none with an offset at or above
    /// <paramref name="endOffset"/>. With <paramref name="atLeastOne"/> the first batch is returned even when larger than that.
    /// </summary>
    public ValueTask<SegmentRead> ReadAsync(
        SealedRun run, long offset, long endOffset, int maxBytes, bool atLeastOne, CancellationToken cancel) => throw new NotImplementedException(cache.ToString());

    /// <summary>The first batch whose max timestamp is not below <paramref name="timestamp"/>; empty where the run has none.</summary>
    public ValueTask<SegmentRead> FindTimestampAsync(SealedRun run, long timestamp, CancellationToken cancel) => throw new NotImplementedException();

    /// <summary>The run's index: leader epochs, producer snapshot.</summary>
    public ValueTask<SegmentIndex> ReadIndexAsync(SealedRun run, CancellationToken cancel) => throw new NotImplementedException();
}
