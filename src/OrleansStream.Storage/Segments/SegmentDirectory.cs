using OrleansStream.Storage.Ports;

namespace OrleansStream.Storage.Segments;

/// <summary>Reads what an object says of itself, for the sweep and for tools: manifests name everything that a reader needs.</summary>
public static class SegmentDirectory
{
    /// <summary>
    /// The runs of an object, from its trailer and directory. Throws <see cref="SegmentCorruptException"/>, <see cref="UnsupportedFormatException"/>,
    /// <see cref="ObjectNotFoundException"/>, <see cref="StoreUnavailableException"/>.
    /// </summary>
    public static async ValueTask<IReadOnlyList<SealedRun>> ReadAsync(IObjectStore store, ObjectInfo info, CancellationToken cancel)
    {
        if (info.Length < SegmentFormat.HeaderLength + SegmentFormat.TrailerLength)
            throw new SegmentCorruptException($"'{info.Name}' of {info.Length} bytes is too short for a sealed object");
        var trailer = await SegmentFooter.FetchAsync(
            store, info.Name, info.Length - SegmentFormat.TrailerLength, SegmentFormat.TrailerLength, cancel);
        var (position, length) = SegmentFormat.ReadTrailer(trailer, info.Name, info.Length);
        var bytes = await SegmentFooter.FetchAsync(store, info.Name, position, length, cancel);
        return SegmentFooter.DecodeDirectory(bytes, info.Name, position, info.Length);
    }
}
