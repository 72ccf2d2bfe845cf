using System.Buffers;
using System.Buffers.Binary;
using OrleansStream.Protocol.Messages;

namespace OrleansStream.Gateway.Tests.Fakes;

/// <summary>Requests as the tests need them.</summary>
internal static class Requests
{
    /// <summary>Something that looks enough like a record batch for <see cref="MemoryPartition"/>: length and count are right.</summary>
    public static byte[] Batch(int records, int payload = 0)
    {
        byte[] batch = new byte[61 + payload];
        BinaryPrimitives.WriteInt32BigEndian(batch.AsSpan(8), batch.Length - 12);
        batch[16] = 2;
        BinaryPrimitives.WriteInt32BigEndian(batch.AsSpan(57), records);
        batch.AsSpan(61).Fill(7);
        return batch;
    }

    public static ProduceRequest Produce(string topic, int partition, byte[]? records, short acks = -1, int timeoutMs = 60_000) => new()
    {
        Acks = acks,
        TimeoutMs = timeoutMs,
        TopicData =
        [
            new()
            {
                Name = topic,
                PartitionData = [new() { Index = partition, Records = records is null ? null : new ReadOnlySequence<byte>(records) }],
            },
        ],
    };

    public static FetchRequest Fetch(
        string topic, (int Partition, long Offset)[] partitions, int minBytes = 0, int maxWaitMs = 0, int maxBytes = 1 << 20, int session = 0, int epoch = -1) => new()
    {
        MinBytes = minBytes,
        MaxWaitMs = maxWaitMs,
        MaxBytes = maxBytes,
        SessionId = session,
        SessionEpoch = epoch,
        Topics = partitions.Length == 0 ? [] :
        [
            new()
            {
                Topic = topic,
                Partitions = [.. partitions.Select(p => new FetchRequest.FetchPartition { Partition = p.Partition, FetchOffset = p.Offset, PartitionMaxBytes = 1 << 20 })],
            },
        ],
    };

    /// <summary>An OffsetCommit of a consumer without membership.</summary>
    public static OffsetCommitRequest Commit(string group, string topic, int partition, long offset) => new()
    {
        GroupId = group,
        GenerationIdOrMemberEpoch = -1,
        Topics = [new() { Name = topic, Partitions = [new() { PartitionIndex = partition, CommittedOffset = offset }] }],
    };

    public static MetadataRequest Metadata(params string[] topics) => new()
    {
        Topics = [.. topics.Select(t => new MetadataRequest.MetadataRequestTopic { Name = t })],
        AllowAutoTopicCreation = false,
    };
}
