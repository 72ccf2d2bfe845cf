namespace OrleansStream.Grains;

/// <summary>What became of a call: Kafka's error code (0: none), with a sentence where there is one.</summary>
[GenerateSerializer, Immutable, Alias("OrleansStream.GroupOutcome")]
public sealed record GroupOutcome([property: Id(0)] short ErrorCode, [property: Id(1)] string? Message);

/// <summary>A group, or the error instead of it.</summary>
[GenerateSerializer, Immutable, Alias("OrleansStream.GroupDescription")]
public sealed record GroupDescription([property: Id(0)] short ErrorCode, [property: Id(1)] string? Message, [property: Id(2)] GroupInfo? Group);

/// <summary>A group as its coordinator sees it.</summary>
/// <param name="Type">"classic" or "consumer" (KIP-848).</param>
/// <param name="State">By Kafka's name: Empty, PreparingRebalance, CompletingRebalance, Assigning, Reconciling, Stable.</param>
/// <param name="ProtocolType">"consumer" for consumers of either type; empty where nobody ever joined.</param>
/// <param name="Assignor">The way in which partitions are assigned; empty where there is none yet.</param>
/// <param name="Epoch">The generation; of a group of the new type, the group epoch.</param>
[GenerateSerializer, Immutable, Alias("OrleansStream.GroupInfo")]
public sealed record GroupInfo(
    [property: Id(0)] string GroupId, [property: Id(1)] string Type, [property: Id(2)] string State, [property: Id(3)] string ProtocolType,
    [property: Id(4)] string Assignor, [property: Id(5)] int Epoch, [property: Id(6)] GroupMember[] Members);

/// <summary>A member of a group.</summary>
/// <param name="InstanceId">group.instance.id; null for a member that has none.</param>
/// <param name="ClientHost">A slash and the IP address.</param>
/// <param name="Assigned">What it has, what it is still to give up included.</param>
[GenerateSerializer, Immutable, Alias("OrleansStream.GroupMember")]
public sealed record GroupMember(
    [property: Id(0)] string MemberId, [property: Id(1)] string? InstanceId, [property: Id(2)] string ClientId, [property: Id(3)] string ClientHost,
    [property: Id(4)] TopicPartitions[] Assigned);

/// <summary>Partitions of a topic.</summary>
[GenerateSerializer, Immutable, Alias("OrleansStream.TopicPartitions")]
public sealed record TopicPartitions([property: Id(0)] string Topic, [property: Id(1)] int[] Partitions);

/// <summary>How far a group is, by topic and partition.</summary>
[GenerateSerializer, Immutable, Alias("OrleansStream.GroupLag")]
public sealed record GroupLag([property: Id(0)] short ErrorCode, [property: Id(1)] string? Message, [property: Id(2)] PartitionLag[] Partitions);

/// <summary>How far a group is in one partition.</summary>
/// <param name="ErrorCode">Kafka's code for why the end is not known (0: it is).</param>
/// <param name="Committed">The next offset that the group wants; -1: none is committed.</param>
/// <param name="Metadata">What was committed with it.</param>
/// <param name="End">The offset behind the last record; -1: not known.</param>
/// <param name="Lag">How many offsets are still to come; -1: not known.</param>
/// <param name="MemberId">Who has the partition; null: nobody.</param>
[GenerateSerializer, Immutable, Alias("OrleansStream.PartitionLag")]
public sealed record PartitionLag(
    [property: Id(0)] string Topic, [property: Id(1)] int Partition, [property: Id(2)] short ErrorCode, [property: Id(3)] long Committed,
    [property: Id(4)] string Metadata, [property: Id(5)] long End, [property: Id(6)] long Lag, [property: Id(7)] string? MemberId);

/// <summary>Where offsets are set to: the ways of Kafka's consumer-groups tool.</summary>
[GenerateSerializer, Alias("OrleansStream.ResetTarget")]
public enum ResetTarget : byte
{
    /// <summary>The first record that is kept.</summary>
    Earliest = 0,

    /// <summary>The end: only what comes from then on.</summary>
    Latest = 1,

    /// <summary>An offset, or the end of the log that is nearest to it.</summary>
    Offset = 2,

    /// <summary>The first record of that time (Unix milliseconds) or later; the end where there is none.</summary>
    Timestamp = 3,

    /// <summary>So many offsets forward, or back where negative, from what is committed, within the log.</summary>
    Shift = 4,
}

/// <summary>Other offsets for a group.</summary>
/// <param name="Value">The offset, the time or the shift, where <paramref name="Target"/> is one of these.</param>
/// <param name="Topics">Which topics, and of them which partitions (none named: all); null: every partition that has an offset.</param>
[GenerateSerializer, Immutable, Alias("OrleansStream.OffsetReset")]
public sealed record OffsetReset(
    [property: Id(0)] ResetTarget Target, [property: Id(1)] long Value = 0, [property: Id(2)] TopicPartitions[]? Topics = null);

/// <summary>Offsets of a group, or the error instead of them.</summary>
[GenerateSerializer, Immutable, Alias("OrleansStream.GroupOffsets")]
public sealed record GroupOffsets([property: Id(0)] short ErrorCode, [property: Id(1)] string? Message, [property: Id(2)] GroupOffset[] Offsets);

/// <summary>An offset of a group: the next one that it wants.</summary>
[GenerateSerializer, Immutable, Alias("OrleansStream.GroupOffset")]
public sealed record GroupOffset(
    [property: Id(0)] string Topic, [property: Id(1)] int Partition, [property: Id(2)] long Offset, [property: Id(3)] string Metadata = "");

/// <summary>Groups, or the error instead of them.</summary>
[GenerateSerializer, Immutable, Alias("OrleansStream.GroupList")]
public sealed record GroupList([property: Id(0)] short ErrorCode, [property: Id(1)] string? Message, [property: Id(2)] ListedGroup[] Groups);

/// <summary>A group in a list; the words are those of <see cref="GroupInfo"/>.</summary>
[GenerateSerializer, Immutable, Alias("OrleansStream.ListedGroup")]
public sealed record ListedGroup(
    [property: Id(0)] string GroupId, [property: Id(1)] string Type, [property: Id(2)] string State, [property: Id(3)] string ProtocolType);
