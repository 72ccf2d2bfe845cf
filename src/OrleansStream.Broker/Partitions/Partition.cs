using System.Buffers;
using OrleansStream.Broker.Topics;
using OrleansStream.Storage;
using OrleansStream.Storage.Logs;
using OrleansStream.Storage.Ports;

namespace OrleansStream.Broker.Partitions;

/// <summary>Broker-wide settings of partitions; Kafka's names in the comments.</summary>
public sealed record PartitionOptions
{
    /// <summary>producer.id.expiration.ms.</summary>
    public long ProducerIdExpirationMs { get; init; } = 86_400_000;
}

/// <summary>A leader's partition: Kafka's rules over a <see cref="PartitionLog"/>, for one leader epoch.</summary>
public sealed class Partition : IPartition
{
    private Partition() { }

    /// <summary>Takes ownership of the partition; errors as <see cref="LogHost.OpenAsync"/>.</summary>
    public static ValueTask<Partition> OpenAsync(
        LogHost host, RuntimePorts ports, PartitionId id, TopicConfig config, short replicationFactor, PartitionOptions options, CancellationToken cancel) =>
        throw new NotImplementedException();

    /// <summary>A topic's configuration changed.</summary>
    public void Configure(TopicConfig config, short replicationFactor) => throw new NotImplementedException();

    /// <summary>
    /// Completes when this object leads no more: its journal was fenced or gave up, or the partition was closed or deleted. The engine opens the partition
    /// anew where it still should lead; this object answers reads meanwhile.
    /// </summary>
    public Task<LogStatus> SteppedDown => throw new NotImplementedException();

    public PartitionId Id => throw new NotImplementedException();
    public int LeaderEpoch => throw new NotImplementedException();
    public long LogStartOffset => throw new NotImplementedException();
    public long HighWatermark => throw new NotImplementedException();
    public long LastStableOffset => throw new NotImplementedException();
    public long SizeBytes => throw new NotImplementedException();
    public ValueTask<AppendResult> AppendAsync(ReadOnlySequence<byte> records, Acks acks, short produceVersion) => throw new NotImplementedException();
    public ValueTask<PartitionRead> ReadAsync(PartitionReadRequest request, CancellationToken cancel) => throw new NotImplementedException();
    public IDisposable Watch(IPartitionWatcher watcher) => throw new NotImplementedException();
    public ValueTask<OffsetLookup> ListOffsetAsync(long timestamp, IsolationLevel isolation, int currentLeaderEpoch, CancellationToken cancel) => throw new NotImplementedException();
    public EpochEnd EndOffsetForEpoch(int currentLeaderEpoch, int leaderEpoch) => throw new NotImplementedException();
}
