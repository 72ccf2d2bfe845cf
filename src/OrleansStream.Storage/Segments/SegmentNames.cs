using System.Globalization;
using OrleansStream.Storage.Ports;

namespace OrleansStream.Storage.Segments;

/// <summary>
/// Names of sealed objects. Each ends in leader epoch and a random id, so that no two writers ever name the same one, and a writer whose put had an
/// unknown end reads the object back and knows it for its own.
/// <para>
/// The sweep for orphans lists objects first and reads manifests afterwards. It may delete an object of one partition that the manifest does not
/// name when the epoch in the name is below the manifest's: its writer can no longer swap that manifest. An object of many partitions has no
/// one epoch; its name says 0 and the sweep reads the object's directory (<see cref="SegmentDirectory"/>): it may go when for every run the partition is
/// gone, or its manifest does not name the object and has an epoch above the run's.
/// </para>
/// </summary>
public static class SegmentNames
{
    public const string PartitionsPrefix = "partitions/";
    public const string SharedPrefix = "shared/";

    /// <summary>Where everything of one partition is: "partitions/{topic id}/{index}/".</summary>
    public static string PartitionPrefix(PartitionId partition) =>
        string.Create(CultureInfo.InvariantCulture, $"{PartitionsPrefix}{partition.TopicId:N}/{partition.Index}/");

    /// <summary>Where the sealed objects of one partition alone are.</summary>
    public static string SegmentsPrefix(PartitionId partition) => PartitionPrefix(partition) + "segments/";

    /// <summary>A name for an object with one run, fresh because of random bits.</summary>
    public static string ForPartition(PartitionId partition, long baseOffset, int leaderEpoch, IRandomSource random) =>
        string.Create(CultureInfo.InvariantCulture, $"{SegmentsPrefix(partition)}{baseOffset:D20}-{leaderEpoch}-{random.NextGuid():N}");

    /// <summary>A name for an object with runs of many partitions.</summary>
    public static string Shared(IRandomSource random) => string.Create(CultureInfo.InvariantCulture, $"{SharedPrefix}0-{random.NextGuid():N}");

    /// <summary>Whether a name is a sealed object's.</summary>
    public static bool IsSegment(string name) => LeaderEpochOf(name) is not null;

    /// <summary>The leader epoch in a name; 0 for a shared object; null where the name is not one of ours.</summary>
    public static int? LeaderEpochOf(string name)
    {
        var end = name.LastIndexOf('-');
        if (end <= 0)
            return null;
        var start = Math.Max(name.LastIndexOf('-', end - 1), name.LastIndexOf('/', end - 1)) + 1;
        return int.TryParse(name.AsSpan(start, end - start), NumberStyles.None, CultureInfo.InvariantCulture, out var epoch)
            && Guid.TryParseExact(name.AsSpan(end + 1), "N", out _)
            ? epoch
            : null;
    }
}
