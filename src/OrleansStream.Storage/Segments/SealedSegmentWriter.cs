namespace OrleansStream.Storage.Segments;

/// <summary>Lays out a sealed object: header, runs as they came, an index for each run, directory, trailer. The payload is referenced, never copied.</summary>
public static class SealedSegmentWriter
{
    /// <summary>
    /// Walks the batches of every run once, for its index and checksums. Throws <see cref="ArgumentException"/> where a run is not a sequence of whole
    /// batches with contiguous offsets: such a run must never be sealed.
    /// </summary>
    /// <param name="name">From <see cref="SegmentNames"/>.</param>
    /// <param name="incarnation">The writer's: the id of its journal.</param>
    public static SealedObject Build(string name, Guid incarnation, IReadOnlyList<RunToSeal> runs) =>
        throw new NotImplementedException();
}
