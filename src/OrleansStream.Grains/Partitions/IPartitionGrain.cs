using Orleans.Concurrency;

namespace OrleansStream.Grains;

/// <summary>
/// A partition, in the silo that leads it. The key is the topic's id in 32 digits, a slash, and the partition's index (<see cref="PartitionKey"/>). Kafka's
/// error codes are in the answers; a call is retried by its caller, as any Kafka client does.
/// </summary>
[Alias("OrleansStream.IPartitionGrain")]
public interface IPartitionGrain : IGrainWithStringKey
{
    /// <summary>Appends whole record batches (Kafka's format, magic 2), as a Produce request of version <paramref name="produceVersion"/> would.</summary>
    /// <param name="acks">-1: answered when the journal has it, 1: when it is accepted.</param>
    [Alias("Append")]
    Task<PartitionAppend> AppendAsync([Immutable] ReadOnlyMemory<byte> batches, short acks, short produceVersion);

    /// <summary>Several appends of one sender, in their order: one answer each. What an append is, is said above.</summary>
    [Alias("AppendMany")]
    Task<PartitionAppend[]> AppendManyAsync([Immutable] PendingAppend[] appends);

    /// <summary>
    /// Reads whole record batches. Where there is nothing yet, waits up to <paramref name="maxWait"/> for the first record (at most 10 s are waited).
    /// </summary>
    [Alias("Read")]
    Task<PartitionRecords> ReadAsync(PartitionReadWish wish, TimeSpan maxWait);

    /// <summary>
    /// The records from an offset on, for as long as the caller goes on: whole batches as they become durable. Ends with an answer that carries an error.
    /// </summary>
    [Alias("Follow")]
    IAsyncEnumerable<PartitionRecords> FollowAsync(long offset, int maxBytes, bool committedOnly);

    /// <summary>ListOffsets: a timestamp in milliseconds, or -1 latest, -2 earliest, -3 of the largest timestamp, -4 earliest local, -5 latest tiered.</summary>
    [Alias("ListOffset")]
    Task<PartitionOffset> ListOffsetAsync(long timestamp, bool committedOnly, int currentLeaderEpoch);

    /// <summary>OffsetForLeaderEpoch (KIP-320).</summary>
    [Alias("EndOffsetForEpoch")]
    Task<PartitionOffset> EndOffsetForEpochAsync(int currentLeaderEpoch, int leaderEpoch);

    /// <summary>DeleteRecords: records before <paramref name="offset"/> (-1: before the high watermark) are gone. The offset is the new start.</summary>
    [Alias("DeleteRecords")]
    Task<PartitionOffset> DeleteRecordsAsync(long offset);

    /// <summary>Where the log begins and ends, under which epoch.</summary>
    [Alias("Describe")]
    Task<PartitionState> DescribeAsync();

    /// <summary>
    /// For the cluster's controller: leads the partition, in the silo that the assignment names. Answers when that silo has heard of the assignment, before it
    /// serves. Throws <see cref="TimeoutException"/> where it does not hear of it.
    /// </summary>
    /// <param name="version">Of the controller's news that name this silo as the leader: the call may overtake them.</param>
    [Alias("Lead")]
    Task LeadAsync(long version);

    /// <summary>For the cluster's controller: seals what there is while it serves, so that a release is short.</summary>
    [Alias("PrepareRelease")]
    Task PrepareReleaseAsync();

    /// <summary>For the cluster's controller: leads the partition no more; the next call finds it elsewhere.</summary>
    [Alias("Release")]
    Task ReleaseAsync();
}

/// <summary>The keys of partition grains.</summary>
public static class PartitionKey
{
    public static string Of(Guid topicId, int index) => string.Create(System.Globalization.CultureInfo.InvariantCulture, $"{topicId:N}/{index}");
}
