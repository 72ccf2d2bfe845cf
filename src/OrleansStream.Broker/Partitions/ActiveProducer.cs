using OrleansStream.Protocol;

namespace OrleansStream.Broker.Partitions;

/// <summary>A producer that a partition remembers (DescribeProducersResponse, ProducerState).</summary>
/// <param name="LastSequence">Of the newest batch; -1 where only the end of a transaction is known of this epoch.</param>
/// <param name="LastTimestampMs">The newest timestamp in the newest batch, Unix milliseconds.</param>
public readonly record struct ActiveProducer(long ProducerId, short Epoch, int LastSequence, long LastTimestampMs);

/// <summary>What a partition answers to DescribeProducers; no producers with an error.</summary>
public readonly record struct ActiveProducers(ErrorCode Error, IReadOnlyList<ActiveProducer> Producers);
