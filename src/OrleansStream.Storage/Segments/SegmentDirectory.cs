using OrleansStream.Storage.Ports;

namespace OrleansStream.Storage.Segments;

/// <summary>Reads what an object says of itself, for the sweep and for tools: manifests name everything that a reader needs.</summary>
public static class SegmentDirectory
{
    /// <summary>The runs of an object, from its trailer and directory.</summary>
    public static ValueTask<IReadOnlyList<SealedRun>> ReadAsync(IObjectStore store, ObjectInfo info, CancellationToken cancel) => throw new NotImplementedException();
}
