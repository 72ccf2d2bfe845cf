namespace OrleansStream.Grains;

/// <summary>One append of several.</summary>
[GenerateSerializer, Immutable, Alias("OrleansStream.PendingAppend")]
public readonly record struct PendingAppend(
    [property: Id(0)] ReadOnlyMemory<byte> Batches, [property: Id(1)] short Acks, [property: Id(2)] short ProduceVersion);

/// <summary>The answer to an append: Kafka's error code (0: none), and where it landed.</summary>
/// <param name="LogAppendTimeMs">Unix milliseconds where the topic stamps records itself, else -1.</param>
/// <param name="RecordErrors">Which records of a refused batch are at fault, and why.</param>
[GenerateSerializer, Immutable, Alias("OrleansStream.PartitionAppend")]
public sealed record PartitionAppend(
    [property: Id(0)] short ErrorCode, [property: Id(1)] long BaseOffset, [property: Id(2)] long LogAppendTimeMs, [property: Id(3)] long LogStartOffset,
    [property: Id(4)] string? Message = null, [property: Id(5)] AppendRecordError[]? RecordErrors = null);

/// <summary>A record that was refused, by its place in the batch.</summary>
[GenerateSerializer, Immutable, Alias("OrleansStream.AppendRecordError")]
public sealed record AppendRecordError([property: Id(0)] int BatchIndex, [property: Id(1)] string? Message);

/// <summary>What a reader wants of a partition.</summary>
/// <param name="Offset">First offset wanted.</param>
/// <param name="MaxBytes">At most this much, but at least one batch where <paramref name="AtLeastOne"/>.</param>
/// <param name="CommittedOnly">Only what no open transaction may take back (read_committed).</param>
/// <param name="CurrentLeaderEpoch">The epoch that the reader believes in; -1: none (KIP-320).</param>
/// <param name="LastFetchedEpoch">The epoch of the last record that it has; -1: unknown (KIP-595).</param>
[GenerateSerializer, Immutable, Alias("OrleansStream.PartitionReadWish")]
public readonly record struct PartitionReadWish(
    [property: Id(0)] long Offset, [property: Id(1)] int MaxBytes, [property: Id(2)] bool AtLeastOne = true, [property: Id(3)] bool CommittedOnly = false,
    [property: Id(4)] int CurrentLeaderEpoch = -1, [property: Id(5)] int LastFetchedEpoch = -1);

/// <summary>What a read gave: whole record batches in Kafka's format, and how far the partition reaches.</summary>
[GenerateSerializer, Immutable, Alias("OrleansStream.PartitionRecords")]
public sealed record PartitionRecords(
    [property: Id(0)] short ErrorCode, [property: Id(1)] long HighWatermark, [property: Id(2)] long LastStableOffset, [property: Id(3)] long LogStartOffset,
    [property: Id(4)] ReadOnlyMemory<byte> Batches)
{
    /// <summary>Where the reader's log departs from this one (KIP-595): the epoch, -1 for nowhere, and its end.</summary>
    [Id(5)]
    public int DivergingEpoch { get; init; } = -1;

    [Id(6)]
    public long DivergingEndOffset { get; init; } = -1;
}

/// <summary>An offset that was asked for; -1 where there is none.</summary>
[GenerateSerializer, Immutable, Alias("OrleansStream.PartitionOffset")]
public sealed record PartitionOffset(
    [property: Id(0)] short ErrorCode, [property: Id(1)] long Offset, [property: Id(2)] long Timestamp = -1, [property: Id(3)] int LeaderEpoch = -1);

/// <summary>A partition as its leader has it.</summary>
[GenerateSerializer, Immutable, Alias("OrleansStream.PartitionState")]
public sealed record PartitionState(
    [property: Id(0)] short ErrorCode, [property: Id(1)] int LeaderEpoch, [property: Id(2)] long LogStartOffset, [property: Id(3)] long HighWatermark,
    [property: Id(4)] long SizeBytes);
