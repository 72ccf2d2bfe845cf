using Orleans;
using Orleans.Concurrency;
using Orleans.Services;
using OrleansStream.Grains;

namespace OrleansStream.Silo.Forwarding;

/// <summary>
/// What silos ask of each other for their Kafka clients: <see cref="OrleansStream.Broker.Forwarding.IPeerBroker"/> as grain calls. A grain service, not the
/// grains of partitions: the call goes to the silo that the caller takes for the leader, and brings no grain to life elsewhere while leaders change.
/// </summary>
[Alias("OrleansStream.IForwardingService")]
internal interface IForwardingService : IGrainService
{
    [Alias("Append")]
    Task<PartitionAppend> AppendAsync(PeerCallInfo call, CallOrderInfo order, [Immutable] ReadOnlyMemory<byte> records, short acks, short produceVersion);

    [Alias("Read")]
    Task<PartitionRecords> ReadAsync(PeerCallInfo call, PartitionReadWish wish);

    [Alias("Wait")]
    Task<PeerWatermarks> WaitAsync(PeerCallInfo call, long known, TimeSpan atMost);

    [Alias("ListOffset")]
    Task<PartitionOffset> ListOffsetAsync(PeerCallInfo call, long timestamp, bool committedOnly, int currentLeaderEpoch);

    [Alias("EndOffsetForEpoch")]
    Task<PartitionOffset> EndOffsetForEpochAsync(PeerCallInfo call, int currentLeaderEpoch, int leaderEpoch);

    [Alias("DeleteRecords")]
    Task<PartitionOffset> DeleteRecordsAsync(PeerCallInfo call, long offset);

    [Alias("DescribeProducers")]
    Task<PeerProducers> DescribeProducersAsync(PeerCallInfo call);

    /// <summary>Bytes; -1 where the partition is not led there.</summary>
    [Alias("Size")]
    Task<long> SizeAsync(PeerCallInfo call);

    [Alias("AskGroup")]
    Task<ReadOnlyMemory<byte>> AskGroupAsync(GroupCallInfo call);

    /// <summary>The same where the group answers when all of its members have come (JoinGroup, SyncGroup): as long as its rebalance time-out.</summary>
    [ResponseTimeout("01:00:00"), Alias("AwaitGroup")]
    Task<ReadOnlyMemory<byte>> AwaitGroupAsync(GroupCallInfo call);
}

[GenerateSerializer, Immutable, Alias("OrleansStream.PeerCallInfo")]
internal readonly record struct PeerCallInfo([property: Id(0)] Guid TopicId, [property: Id(1)] int Index, [property: Id(2)] long AssignmentVersion);

[GenerateSerializer, Immutable, Alias("OrleansStream.CallOrderInfo")]
internal readonly record struct CallOrderInfo([property: Id(0)] Guid Stream, [property: Id(1)] long Generation, [property: Id(2)] long Number);

[GenerateSerializer, Immutable, Alias("OrleansStream.PeerWatermarks")]
internal sealed record PeerWatermarks(
    [property: Id(0)] short ErrorCode, [property: Id(1)] long HighWatermark, [property: Id(2)] long LastStableOffset, [property: Id(3)] long LogStartOffset);

[GenerateSerializer, Immutable, Alias("OrleansStream.PeerProducers")]
internal sealed record PeerProducers([property: Id(0)] short ErrorCode, [property: Id(1)] PeerProducer[] Producers);

[GenerateSerializer, Immutable, Alias("OrleansStream.PeerProducer")]
internal readonly record struct PeerProducer(
    [property: Id(0)] long ProducerId, [property: Id(1)] short Epoch, [property: Id(2)] int LastSequence, [property: Id(3)] long LastTimestampMs);

[GenerateSerializer, Immutable, Alias("OrleansStream.GroupCallInfo")]
internal sealed record GroupCallInfo(
    [property: Id(0)] short Api, [property: Id(1)] long AssignmentVersion, [property: Id(2)] short ClientVersion, [property: Id(3)] string ClientId,
    [property: Id(4)] string ClientHost, [property: Id(5)] CallOrderInfo? Order, [property: Id(6)] ReadOnlyMemory<byte> Message, [property: Id(7)] Guid[] TopicIds);
