using Orleans.Runtime;
using OrleansStream.Broker.Groups.Admin;
using OrleansStream.Silo.Storage;
using OrleansStream.Storage;

namespace OrleansStream.Silo.Placement;

/// <summary>Which partition a grain goes with: its own, or the one of __consumer_offsets that coordinates it.</summary>
internal static class PlacedGrains
{
    /// <summary>What [GrainType] says at the grain of a group.</summary>
    public const string Group = "group";

    /// <summary>What [GrainType] says at the grain of a partition of __consumer_offsets.</summary>
    public const string GroupPartition = "group-partition";

    private static readonly GrainType GroupType = GrainType.Create(Group);
    private static readonly GrainType GroupPartitionType = GrainType.Create(GroupPartition);

    /// <summary>The partition; null where the grain goes with none, or with one that is not there yet.</summary>
    public static PartitionId? PartitionOf(GrainId grain, GroupAdmin groups)
    {
        if (PartitionGrainId.TryParse(grain, out PartitionId partition))
            return partition;
        if (grain.Type == GroupType)
            return groups.PartitionOf(grain.Key.ToString()!);
        return grain.Type == GroupPartitionType && GrainIdKeyExtensions.TryGetIntegerKey(grain, out long index, out _) && index is >= 0 and <= int.MaxValue
            ? groups.OffsetsPartition((int)index) : null;
    }
}
