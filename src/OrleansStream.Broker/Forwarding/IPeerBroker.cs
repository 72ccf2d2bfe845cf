using OrleansStream.Broker.Groups;
using OrleansStream.Broker.Partitions;
using OrleansStream.Protocol;
using OrleansStream.Storage;

namespace OrleansStream.Broker.Forwarding;

/// <summary>A partition as a call to its leader names it.</summary>
/// <param name="AssignmentVersion">The assignment by which the caller took the other for the leader: who knows an older one first waits for this one.</param>
public readonly record struct PeerCall(PartitionId Partition, long AssignmentVersion);

/// <summary>
/// The place of a call among others that must begin in their order, which neither Orleans nor a network promises. A stream's generation begins, with number
/// 0, only when every call of the one before has ended.
/// </summary>
public readonly record struct CallOrder(Guid Stream, long Generation, long Number);

/// <summary>How far a partition reaches, in offsets.</summary>
public readonly record struct Watermarks(ErrorCode Error, long HighWatermark = -1, long LastStableOffset = -1, long LogStartOffset = -1);

/// <summary>A request of a group, in the words of Kafka's protocol.</summary>
/// <param name="Api">Which request <paramref name="Message"/> is; in which version, <see cref="GroupMessages"/> knows.</param>
/// <param name="TopicIds">Of the topics in the message, in their order, where the message names them: no version carries both.</param>
public sealed record GroupCall(
    ApiKey Api, long AssignmentVersion, GroupClient Client, CallOrder? Order, ReadOnlyMemory<byte> Message, IReadOnlyList<Guid> TopicIds);

/// <summary>The other broker did not answer. Whether it did what it was asked to is unknown.</summary>
public sealed class PeerLostException : IOException
{
    public PeerLostException() { }
    public PeerLostException(string message) : base(message) { }
    public PeerLostException(string message, Exception inner) : base(message, inner) { }
}

/// <summary>
/// Another broker of the cluster, asked for what it leads. Every call may throw <see cref="PeerLostException"/>, and nothing else; memory that was given to a
/// call that threw may still be read. Both sides of the wire have this form: <see cref="ForwardedRequests"/> is what answers.
/// </summary>
public interface IPeerBroker
{
    /// <summary>Appends, in the order of <paramref name="order"/>.</summary>
    Task<AppendResult> AppendAsync(PeerCall call, CallOrder order, ReadOnlyMemory<byte> records, Acks acks, short produceVersion);

    Task<PartitionRead> ReadAsync(PeerCall call, PartitionReadRequest wish);

    /// <summary>Answers as soon as the high watermark is above <paramref name="known"/>, the partition is led elsewhere, or time is up.</summary>
    Task<Watermarks> WaitAsync(PeerCall call, long known, TimeSpan atMost);

    Task<OffsetLookup> ListOffsetAsync(PeerCall call, long timestamp, IsolationLevel isolation, int currentLeaderEpoch);
    Task<EpochEnd> EndOffsetForEpochAsync(PeerCall call, int currentLeaderEpoch, int leaderEpoch);
    Task<DeletedRecords> DeleteRecordsAsync(PeerCall call, long offset);
    Task<ActiveProducers> DescribeProducersAsync(PeerCall call);

    /// <summary>Bytes of the log; null where it is not led there.</summary>
    Task<long?> SizeAsync(PeerCall call);

    /// <summary>Asks the coordinator of a group, or for <see cref="ApiKey.ListGroups"/> all of that broker's. The answer is the response's bytes.</summary>
    Task<ReadOnlyMemory<byte>> AskGroupAsync(GroupCall call);
}

/// <summary>The other brokers of the cluster, by node id.</summary>
public interface IPeers
{
    IPeerBroker Of(int nodeId);
}
