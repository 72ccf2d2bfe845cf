using System.Buffers;
using OrleansStream.Protocol;
using OrleansStream.Storage;

namespace OrleansStream.Broker.Partitions;

/// <summary>What a client's isolation level lets it see (KIP-98).</summary>
public enum IsolationLevel : sbyte
{
    ReadUncommitted = 0,
    ReadCommitted = 1,
}

/// <summary>Whose promise an append waits for: the acks field of a Produce request.</summary>
public enum Acks : short
{
    All = -1,
    None = 0,
    Leader = 1,
}

/// <summary>The answer to one partition's part of a Produce request (ProduceResponse, PartitionProduceResponse).</summary>
public readonly record struct AppendResult(
    ErrorCode Error,
    long BaseOffset = -1,
    long LogAppendTimeMs = -1,
    long LogStartOffset = -1,
    string? ErrorMessage = null,
    IReadOnlyList<(int BatchIndex, string? Message)>? RecordErrors = null);

/// <summary>
/// A leader's partition, as the gateway sees it: the rules of Kafka over a log. Thread-safe. Every answer is a value with Kafka's error code;
/// exceptions are defects. Where the leader is another broker (docs/architecture.md, <i>One address</i>), the properties are what was last heard of it.
/// </summary>
public interface IPartition
{
    PartitionId Id { get; }
    int LeaderEpoch { get; }

    /// <summary>Whether this object still leads: once false, it takes no more appends and who leads next is another object.</summary>
    bool Leads => true;

    /// <summary>Whether what is asked of it is answered in this process, without a call to another broker.</summary>
    bool IsHere => true;

    long LogStartOffset { get; }
    long HighWatermark { get; }
    long LastStableOffset { get; }

    /// <summary>
    /// Validates and appends the record batches. Validation, the assignment of offsets and the one copy into hot memory happen before this method
    /// returns, so a caller that starts appends in order has them in order, and may reuse <paramref name="records"/> at once. The task completes
    /// when the promise of <paramref name="acks"/> holds, or with the error.
    /// </summary>
    ValueTask<AppendResult> AppendAsync(ReadOnlySequence<byte> records, Acks acks, short produceVersion);

    /// <summary>
    /// Reads whole record batches from <paramref name="request"/>.Offset on, up to the isolation level's limit. Completes synchronously where the data
    /// is hot. The caller disposes the result once the bytes are in the socket's hands.
    /// </summary>
    ValueTask<PartitionRead> ReadAsync(PartitionReadRequest request, CancellationToken cancel);

    /// <summary>
    /// Registers a waiter that is called (once per change, on the journal's loop: be short) when the high watermark or last stable offset moves
    /// or the partition stops being led here. Dispose to unregister.
    /// </summary>
    IDisposable Watch(IPartitionWatcher watcher);

    /// <summary>ListOffsets for one partition: a timestamp in milliseconds or one of the specials of ListOffsetsRequest (-1 latest ... -6).</summary>
    ValueTask<OffsetLookup> ListOffsetAsync(long timestamp, IsolationLevel isolation, int currentLeaderEpoch, CancellationToken cancel);

    /// <summary>OffsetForLeaderEpoch (KIP-101, KIP-320): the end offset of the largest epoch not above <paramref name="leaderEpoch"/>.</summary>
    ValueTask<EpochEnd> EndOffsetForEpochAsync(int currentLeaderEpoch, int leaderEpoch, CancellationToken cancel);

    /// <summary>
    /// DeleteRecords: records before <paramref name="offset"/> (-1: before the high watermark) can be read no more, durably. OFFSET_OUT_OF_RANGE above the
    /// high watermark, POLICY_VIOLATION where cleanup.policy does not have delete.
    /// </summary>
    ValueTask<DeletedRecords> DeleteRecordsAsync(long offset, CancellationToken cancel) => new(new DeletedRecords(ErrorCode.UnsupportedVersion, -1));

    /// <summary>DescribeProducers (KIP-664): the producers whose sequence numbers are remembered. NOT_LEADER_OR_FOLLOWER where it is led here no more.</summary>
    ValueTask<ActiveProducers> DescribeProducersAsync(CancellationToken cancel);

    /// <summary>Bytes of the log between its start offset and its end, as DescribeLogDirs reports them; null where its leader did not answer.</summary>
    ValueTask<long?> SizeAsync(CancellationToken cancel);
}

/// <summary>Told that more of a partition may be readable.</summary>
public interface IPartitionWatcher
{
    void Changed();
}

/// <summary>One partition's part of a Fetch.</summary>
/// <param name="Offset">First offset wanted.</param>
/// <param name="MaxBytes">At most this much, but at least one batch where <paramref name="AtLeastOne"/>.</param>
/// <param name="CurrentLeaderEpoch">The epoch that the client believes in, -1 when it does not say (KIP-320).</param>
/// <param name="LastFetchedEpoch">For divergence checks (KIP-595), -1 when unknown.</param>
public readonly record struct PartitionReadRequest(
    long Offset, int MaxBytes, bool AtLeastOne, IsolationLevel Isolation, int CurrentLeaderEpoch = -1, int LastFetchedEpoch = -1);

/// <summary>What a read gave: references to hot memory or to cached cold bytes, held until disposed.</summary>
public sealed class PartitionRead(
    ErrorCode error, long highWatermark, long lastStableOffset, long logStartOffset, ReadOnlySequence<byte> records, IDisposable? hold = null) : IDisposable
{
    public ErrorCode Error { get; } = error;
    public long HighWatermark { get; } = highWatermark;
    public long LastStableOffset { get; } = lastStableOffset;
    public long LogStartOffset { get; } = logStartOffset;
    public ReadOnlySequence<byte> Records { get; } = records;

    /// <summary>(producer id, first offset) of transactions aborted in this range; null unless read_committed.</summary>
    public IReadOnlyList<(long ProducerId, long FirstOffset)>? AbortedTransactions { get; init; }

    /// <summary>Where the client's log diverges (KIP-595): epoch and end offset; null when it does not.</summary>
    public (int Epoch, long EndOffset)? Diverging { get; init; }

    public void Dispose() => hold?.Dispose();
}

public readonly record struct OffsetLookup(ErrorCode Error, long Timestamp = -1, long Offset = -1, int LeaderEpoch = -1);

/// <summary>Where the log begins after a DeleteRecords; -1 with an error.</summary>
public readonly record struct DeletedRecords(ErrorCode Error, long LowWatermark);

public readonly record struct EpochEnd(ErrorCode Error, int LeaderEpoch = -1, long EndOffset = -1);
