using OrleansStream.Broker.Partitions;
using OrleansStream.Storage;

namespace OrleansStream.Broker.Groups.Admin;

/// <summary>Where the offsets of a group are set to: the ways of Kafka's consumer-groups tool.</summary>
public enum ResetTarget
{
    Earliest,
    Latest,

    /// <summary>An offset, or the end of the log that is nearest to it.</summary>
    Offset,

    /// <summary>The first record of that time (Unix milliseconds) or later; the end where there is none.</summary>
    Timestamp,

    /// <summary>So many offsets forward, or back where negative, from what is committed.</summary>
    Shift,
}

/// <summary>What an administrator wants of a group's offsets.</summary>
/// <param name="Value">What <paramref name="Target"/> needs, if anything.</param>
/// <param name="Topics">Which topics, and of them which partitions (none named: all); null: every partition that has an offset.</param>
public sealed record OffsetReset(ResetTarget Target, long Value, IReadOnlyList<(string Topic, IReadOnlyList<int> Partitions)>? Topics);

/// <summary>An offset that is to be committed, or was.</summary>
public readonly record struct GroupOffset(string Topic, int Partition, long Offset, int LeaderEpoch = -1, string Metadata = "");

/// <summary>
/// ListOffsets of partitions wherever they are led. Timestamps as in Kafka: -1 latest, -2 earliest. Whatever goes wrong is an error in the answer.
/// </summary>
public interface IPartitionOffsets
{
    ValueTask<OffsetLookup> ListOffsetAsync(PartitionId partition, long timestamp, CancellationToken cancel);
}
