using System.Globalization;
using OrleansStream.Storage.Ports;
using OrleansStream.Storage.Segments;

namespace OrleansStream.Storage.Logs;

/// <summary>Names of a partition's manifest and index objects, beside its sealed objects under <see cref="SegmentNames.PartitionPrefix"/>.</summary>
public static class ManifestNames
{
    private const string ManifestName = "manifest";
    private const string IndexFolder = "index/";

    public static string Manifest(PartitionId partition) => SegmentNames.PartitionPrefix(partition) + ManifestName;

    /// <summary>A fresh name; like that of a sealed object it ends in leader epoch and random id.</summary>
    public static string Index(PartitionId partition, long baseOffset, int leaderEpoch, IRandomSource random) =>
        string.Create(CultureInfo.InvariantCulture,
            $"{SegmentNames.PartitionPrefix(partition)}{IndexFolder}{baseOffset:D20}-{leaderEpoch}-{random.NextGuid():N}");

    /// <summary>The partition under whose prefix a name lies; null where it is none of ours.</summary>
    public static PartitionId? PartitionOf(string name)
    {
        if (!name.StartsWith(SegmentNames.PartitionsPrefix, StringComparison.Ordinal))
            return null;
        var rest = name.AsSpan(SegmentNames.PartitionsPrefix.Length);
        var slash = rest.IndexOf('/');
        if (slash < 0 || !Guid.TryParseExact(rest[..slash], "N", out var topic))
            return null;
        rest = rest[(slash + 1)..];
        slash = rest.IndexOf('/');
        return slash > 0 && int.TryParse(rest[..slash], NumberStyles.None, CultureInfo.InvariantCulture, out var index)
            ? new PartitionId(topic, index)
            : null;
    }
}
