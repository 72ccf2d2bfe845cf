using System.Globalization;
using Orleans.Runtime;
using OrleansStream.Storage;

namespace OrleansStream.Silo.Storage;

/// <summary>Which grain stands for a partition: its key is the topic's id, 32 digits, a slash, and the partition's index.</summary>
public static class PartitionGrainId
{
    /// <summary>What [GrainType] says at the grain's class.</summary>
    public const string GrainTypeName = "partition";

    private static readonly GrainType Type = GrainType.Create(GrainTypeName);

    public static GrainId Of(PartitionId partition) => GrainId.Create(Type, KeyOf(partition));

    public static string KeyOf(PartitionId partition) => string.Create(CultureInfo.InvariantCulture, $"{partition.TopicId:N}/{partition.Index}");

    /// <summary>False where the grain is no partition's.</summary>
    public static bool TryParse(GrainId grain, out PartitionId partition)
    {
        partition = default;
        return grain.Type == Type && TryParse(grain.Key.ToString()!, out partition);
    }

    /// <summary>Only what <see cref="KeyOf"/> writes is a key, so that no two grains stand for one partition.</summary>
    public static bool TryParse(string key, out PartitionId partition)
    {
        int slash = key.IndexOf('/');
        partition = slash > 0 && Guid.TryParseExact(key.AsSpan(0, slash), "N", out Guid topic)
            && int.TryParse(key.AsSpan(slash + 1), NumberStyles.None, CultureInfo.InvariantCulture, out int index)
            ? new PartitionId(topic, index)
            : default;
        return KeyOf(partition) == key;
    }
}
