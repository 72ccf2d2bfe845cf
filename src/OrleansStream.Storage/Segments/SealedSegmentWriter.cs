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
    public static SealedObject Build(string name, Guid incarnation, IReadOnlyList<RunToSeal> runs)
    {
        if (runs.Count == 0)
            throw new ArgumentException("nothing to seal", nameof(runs));
        var content = new SequenceBuilder();
        content.Add(SegmentFormat.Header(incarnation));
        var indexes = new SegmentIndex[runs.Count];
        for (var i = 0; i < runs.Count; i++)
        {
            indexes[i] = SegmentIndexBuilder.Build(runs[i], content.Length);
            content.Add(runs[i].Batches);
        }

        var sealedRuns = new SealedRun[runs.Count];
        for (var i = 0; i < runs.Count; i++)
        {
            var bytes = SegmentFooter.EncodeIndex(indexes[i]);
            sealedRuns[i] = Describe(name, indexes[i], content.Length, bytes.Length);
            content.Add(bytes);
        }

        var directory = SegmentFooter.EncodeDirectory(sealedRuns);
        var directoryPosition = content.Length;
        content.Add(directory);
        content.Add(SegmentFormat.Trailer(directoryPosition, directory.Length));
        for (var i = 0; i < sealedRuns.Length; i++)
            sealedRuns[i] = sealedRuns[i] with { ObjectLength = content.Length };
        return new SealedObject(name, content.Build(), sealedRuns);
    }

    private static SealedRun Describe(string name, SegmentIndex index, long indexPosition, int indexLength) => new(
        name, 0, index.Partition, index.LeaderEpoch, index.BaseOffset, index.LastOffset, index.Position, index.Length, index.Crc,
        index.FirstTimestamp, index.MaxTimestamp, indexPosition, indexLength);
}
