using System.Buffers;
using OrleansStream.Broker.Partitions;
using OrleansStream.Broker.Topics;
using OrleansStream.Protocol;
using OrleansStream.Protocol.Compression;
using OrleansStream.Protocol.Records;
using OrleansStream.Storage;
using OrleansStream.Storage.Logs;
using OrleansStream.TestSupport;

namespace OrleansStream.Broker.Tests.Partitions;

public class PartitionTests
{
    private static readonly PartitionId Id = new(new Guid(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11), 0);
    private readonly TestPorts _ports = new();
    private readonly MemoryObjectStore _store = new();
    private readonly FakeJournals _journals = new(new SeededRandom(9));

    private long Now => _ports.Runtime.NowMilliseconds;

    private async Task<LogHost> HostAsync()
    {
        var host = new LogHost(_ports.Runtime, _store, _journals, new ArrayChunkSource(), new LogOptions { WarmBytes = 0, MemoryBudgetBytes = 64 << 20 });
        await host.StartAsync(default);
        return host;
    }

    private async Task<Partition> OpenAsync(LogHost host, TopicConfig? config = null, short replicationFactor = 1) =>
        await Partition.OpenAsync(host, _ports.Runtime, Id, config ?? new TopicConfig(), replicationFactor, new PartitionOptions(), default);

    private async Task<Partition> OpenAsync(TopicConfig? config = null, short replicationFactor = 1) =>
        await OpenAsync(await HostAsync(), config, replicationFactor);

    private ReadOnlySequence<byte> Batch(
        int records = 1, long producer = -1, short epoch = -1, int sequence = -1, string? key = null, long? timestamp = null,
        CompressionCodec codec = CompressionCodec.None, int valueBytes = 10)
    {
        using var builder = new RecordBatchBuilder { ProducerId = producer, ProducerEpoch = epoch, BaseSequence = sequence, Codec = codec };
        for (var i = 0; i < records; i++)
        {
            builder.Append(
                timestamp ?? Now, System.Text.Encoding.UTF8.GetBytes(key ?? ""), new byte[valueBytes], hasKey: key is not null);
        }
        return new ReadOnlySequence<byte>(builder.Build());
    }

    private static async Task<(RecordBatchHeader Header, byte[] Bytes)> FirstBatchAsync(Partition partition, long offset = 0)
    {
        using var read = await partition.ReadAsync(new PartitionReadRequest(offset, 1, true, IsolationLevel.ReadUncommitted), default);
        Assert.Equal(ErrorCode.None, read.Error);
        Assert.True(RecordBatchHeader.TryRead(read.Records, out var header));
        return (header, read.Records.ToArray());
    }

    [Fact]
    public async Task Acks_say_when_an_append_is_answered()
    {
        _journals.AutoCommit = false;
        var partition = await OpenAsync();
        var all = partition.AppendAsync(Batch(2), Acks.All, 11);
        var leader = partition.AppendAsync(Batch(), Acks.Leader, 11);
        Assert.False(all.IsCompleted);
        Assert.Equal(new AppendResult(ErrorCode.None, 2, -1, 0), await leader);
        Assert.Equal(0, partition.HighWatermark);
        _journals.Opened[0].Commit();
        Assert.Equal(new AppendResult(ErrorCode.None, 0, -1, 0), await all);
        Assert.Equal((3, 3), (partition.HighWatermark, partition.LastStableOffset));
    }

    [Fact]
    public async Task A_fence_fails_waiting_appends_and_their_duplicates()
    {
        _journals.AutoCommit = false;
        var partition = await OpenAsync();
        var first = partition.AppendAsync(Batch(1, 5, 0, 0), Acks.All, 11);
        var again = partition.AppendAsync(Batch(1, 5, 0, 0), Acks.All, 11);
        await _journals.FenceAsync(_journals.Opened[0].Id, default);
        _journals.Opened[0].Commit();
        Assert.Equal(ErrorCode.NotLeaderOrFollower, (await first).Error);
        Assert.Equal(ErrorCode.NotLeaderOrFollower, (await again).Error);
        Assert.Equal(ErrorCode.NotLeaderOrFollower, (await partition.AppendAsync(Batch(), Acks.All, 11)).Error);
        Assert.Equal(LogStatus.NotLeader, await partition.SteppedDown);
    }

    [Fact]
    public async Task A_duplicate_waits_for_the_first_and_gets_its_offset_and_timestamp()
    {
        _journals.AutoCommit = false;
        var partition = await OpenAsync();
        _ = partition.AppendAsync(Batch(3), Acks.Leader, 11);
        var first = partition.AppendAsync(Batch(2, 5, 0, 0, timestamp: Now - 7), Acks.All, 11);
        var again = partition.AppendAsync(Batch(2, 5, 0, 0, timestamp: Now - 7), Acks.All, 11);
        Assert.False(again.IsCompleted);
        _journals.Opened[0].Commit();
        Assert.Equal(new AppendResult(ErrorCode.None, 3, -1, 0), await first);
        Assert.Equal(new AppendResult(ErrorCode.None, 3, Now - 7, 0), await again);
        Assert.Equal(5, partition.HighWatermark);
    }

    [Fact]
    public async Task Sequence_numbers_are_checked_as_Kafka_does()
    {
        var partition = await OpenAsync();
        async Task<ErrorCode> Append(short epoch, int sequence, int records = 1, long producer = 5) =>
            (await partition.AppendAsync(Batch(records, producer, epoch, sequence), Acks.All, 11)).Error;

        Assert.Equal(ErrorCode.None, await Append(1, 40));
        Assert.Equal(ErrorCode.OutOfOrderSequenceNumber, await Append(1, 42));
        Assert.Equal(ErrorCode.None, await Append(1, 41, 3));
        Assert.Equal(ErrorCode.InvalidProducerEpoch, await Append(0, 44));
        Assert.Equal(ErrorCode.OutOfOrderSequenceNumber, await Append(2, 44));
        Assert.Equal(ErrorCode.None, await Append(2, 0));
        Assert.Equal(ErrorCode.InvalidProducerEpoch, await Append(1, 44));
        Assert.Equal(ErrorCode.None, await Append(0, int.MaxValue, producer: 6));
        Assert.Equal(ErrorCode.None, await Append(0, 0, producer: 6));
        for (var i = 1; i <= 5; i++)
            Assert.Equal(ErrorCode.None, await Append(2, i));
        var end = partition.HighWatermark;
        Assert.Equal(ErrorCode.None, await Append(2, 1));
        Assert.Equal(end, partition.HighWatermark);
        Assert.Equal(ErrorCode.OutOfOrderSequenceNumber, await Append(2, 0));
    }

    [Fact]
    public async Task Producers_are_described_until_they_expire_by_the_setting_of_that_moment()
    {
        var expirationMs = 10_000L;
        var options = new PartitionOptions { ProducerIdExpirationMs = () => expirationMs };
        var partition = await Partition.OpenAsync(await HostAsync(), _ports.Runtime, Id, new TopicConfig(), 1, options, default);
        await partition.AppendAsync(Batch(), Acks.All, 11);
        Assert.Empty(partition.DescribeProducers().Producers);
        await partition.AppendAsync(Batch(3, 8, 2, 0, timestamp: 40), Acks.All, 11);
        await partition.AppendAsync(Batch(2, 8, 2, 3, timestamp: 30), Acks.All, 11);
        await partition.AppendAsync(Batch(1, 5, 0, 0, timestamp: 50), Acks.All, 11);
        ActiveProducer five = new(5, 0, 0, 50), eight = new(8, 2, 4, 30);
        Assert.Equal([five, eight], partition.DescribeProducers().Producers);

        _ports.Time.Advance(TimeSpan.FromSeconds(9));
        await partition.AppendAsync(Batch(1, 5, 0, 1, timestamp: 60), Acks.All, 11);
        _ports.Time.Advance(TimeSpan.FromSeconds(1));
        Assert.Equal([five with { LastSequence = 1, LastTimestampMs = 60 }], partition.DescribeProducers().Producers);
        expirationMs = 1000;
        Assert.Empty(partition.DescribeProducers().Producers);
        // It may begin anywhere again.
        Assert.Equal(ErrorCode.None, (await partition.AppendAsync(Batch(1, 5, 0, 77), Acks.All, 11)).Error);
        Assert.Equal(77, partition.DescribeProducers().Producers.Single().LastSequence);

        _journals.Opened[0].Fail("gone");
        await partition.SteppedDown;
        Assert.NotEqual(ErrorCode.None, partition.DescribeProducers().Error);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Producers_are_known_again_after_a_crash_and_after_a_shutdown(bool clean)
    {
        var host = await HostAsync();
        var partition = await OpenAsync(host);
        for (var i = 0; i < 7; i++)
            Assert.Equal(i, (await partition.AppendAsync(Batch(1, 5, 0, i, timestamp: 100 + i), Acks.All, 11)).BaseOffset);
        if (clean)
            await host.ShutdownAsync(default);
        var next = await OpenAsync();
        Assert.Equal(7, next.HighWatermark);
        Assert.Equal(4, (await next.AppendAsync(Batch(1, 5, 0, 4, timestamp: 104), Acks.All, 11)).BaseOffset);
        Assert.Equal(104, (await next.AppendAsync(Batch(1, 5, 0, 4, timestamp: 104), Acks.All, 11)).LogAppendTimeMs);
        Assert.Equal(ErrorCode.OutOfOrderSequenceNumber, (await next.AppendAsync(Batch(1, 5, 0, 8), Acks.All, 11)).Error);
        Assert.Equal(7, (await next.AppendAsync(Batch(1, 5, 0, 7), Acks.All, 11)).BaseOffset);
        // An expired producer may begin anywhere.
        _ports.Time.Advance(TimeSpan.FromDays(1));
        Assert.Equal(8, (await next.AppendAsync(Batch(1, 5, 0, 70), Acks.All, 11)).BaseOffset);
    }

    [Fact]
    public async Task The_topics_rules_decide_what_is_taken()
    {
        var partition = await OpenAsync(new TopicConfig { MaxMessageBytes = 500, CleanupCompact = true, SegmentBytes = 300, TimestampAfterMaxMs = 1000, TimestampBeforeMaxMs = 1000 });
        async Task<ErrorCode> Append(ReadOnlySequence<byte> batch) => (await partition.AppendAsync(batch, Acks.All, 11)).Error;

        Assert.Equal(ErrorCode.MessageTooLarge, await Append(Batch(key: "k", valueBytes: 500)));
        Assert.Equal(ErrorCode.RecordListTooLarge, await Append(Batch(key: "k", valueBytes: 300)));
        Assert.Equal(ErrorCode.InvalidRecord, await Append(Batch()));
        Assert.Equal(ErrorCode.InvalidTimestamp, await Append(Batch(key: "k", timestamp: Now + 2000)));
        Assert.Equal(ErrorCode.InvalidTimestamp, await Append(Batch(key: "k", timestamp: Now - 2000)));
        var corrupt = Batch(key: "k").ToArray();
        corrupt[^1] ^= 1;
        Assert.Equal(ErrorCode.CorruptMessage, await Append(new ReadOnlySequence<byte>(corrupt)));
        Assert.Equal(0, partition.HighWatermark);
        Assert.Equal(ErrorCode.None, await Append(Batch(key: "k")));

        partition.Configure(new TopicConfig { MinInSyncReplicas = 2 }, 1);
        Assert.Equal(ErrorCode.NotEnoughReplicas, await Append(Batch()));
        Assert.Equal(ErrorCode.None, (await partition.AppendAsync(Batch(), Acks.Leader, 11)).Error);
        partition.Configure(new TopicConfig { MinInSyncReplicas = 2 }, 3);
        Assert.Equal(ErrorCode.None, await Append(Batch()));
    }

    [Fact]
    public async Task Log_append_time_is_the_brokers_and_the_checksum_is_right()
    {
        var partition = await OpenAsync(new TopicConfig { TimestampType = TimestampType.LogAppendTime });
        var result = await partition.AppendAsync(Batch(2, timestamp: 5), Acks.All, 11);
        Assert.Equal(Now, result.LogAppendTimeMs);
        var (header, bytes) = await FirstBatchAsync(partition);
        Assert.True(header.IsLogAppendTime);
        Assert.Equal(Now, header.MaxTimestamp);
        Assert.Equal(header.Crc, Crc32C.Compute(bytes.AsSpan(RecordBatchLayout.Attributes)));
    }

    [Fact]
    public async Task Another_compression_type_recompresses()
    {
        var partition = await OpenAsync(new TopicConfig { CompressionType = "gzip" });
        Assert.Equal(ErrorCode.None, (await partition.AppendAsync(Batch(3, 5, 0, 0, valueBytes: 1000), Acks.All, 11)).Error);
        var (header, bytes) = await FirstBatchAsync(partition);
        Assert.Equal((CompressionCodec.Gzip, 3, 5L, 0), (header.Codec, header.RecordCount, header.ProducerId, header.BaseSequence));
        Assert.True(bytes.Length < 1000);
        using var opened = OpenedRecords.Open(new ReadOnlySequence<byte>(bytes), 1 << 20);
        var count = 0;
        foreach (var record in opened)
        {
            Assert.Equal((count++, 1000), (record.Offset, record.Value.Length));
        }
        Assert.Equal(3, count);
        // A duplicate is one, whatever it was compressed with.
        Assert.Equal(0, (await partition.AppendAsync(Batch(3, 5, 0, 0, valueBytes: 1000), Acks.All, 11)).BaseOffset);
    }

    [Fact]
    public async Task Offsets_are_listed_by_timestamp_and_by_name()
    {
        var partition = await OpenAsync();
        async Task<OffsetLookup> List(long timestamp, int epoch = -1) => await partition.ListOffsetAsync(timestamp, IsolationLevel.ReadUncommitted, epoch, default);

        Assert.Equal(new OffsetLookup(ErrorCode.None, -1, -1, -1), await List(-3));
        Assert.Equal(new OffsetLookup(ErrorCode.None, -1, 0, 0), await List(-1));
        using var builder = new RecordBatchBuilder();
        foreach (var timestamp in new[] { 100, 300, 200 })
            builder.Append(timestamp, default, default);
        await partition.AppendAsync(new ReadOnlySequence<byte>(builder.Build()), Acks.All, 11);
        await partition.AppendAsync(Batch(1, timestamp: 250), Acks.All, 11);

        Assert.Equal(new OffsetLookup(ErrorCode.None, -1, 4, 0), await List(-1));
        Assert.Equal(new OffsetLookup(ErrorCode.None, -1, 0, 0), await List(-2));
        Assert.Equal(new OffsetLookup(ErrorCode.None, 300, 1, 0), await List(-3));
        Assert.Equal(new OffsetLookup(ErrorCode.None, -1, 0, 0), await List(-4));
        Assert.Equal(new OffsetLookup(ErrorCode.None, -1, -1, -1), await List(-5));
        Assert.Equal(new OffsetLookup(ErrorCode.None, -1, -1, -1), await List(-6));
        Assert.Equal(new OffsetLookup(ErrorCode.None, 100, 0, 0), await List(0));
        Assert.Equal(new OffsetLookup(ErrorCode.None, 300, 1, 0), await List(101));
        Assert.Equal(new OffsetLookup(ErrorCode.None, -1, -1, -1), await List(301));
        Assert.Equal(ErrorCode.UnknownLeaderEpoch, (await List(-1, 1)).Error);
    }

    [Fact]
    public async Task Leader_epochs_fence_clients_and_tell_where_logs_diverge()
    {
        var first = await OpenAsync();
        await first.AppendAsync(Batch(3), Acks.All, 11);
        var partition = await OpenAsync();
        await partition.AppendAsync(Batch(2), Acks.All, 11);

        async Task<PartitionRead> Read(long offset, int epoch, int lastFetched = -1) =>
            await partition.ReadAsync(new PartitionReadRequest(offset, 1000, true, IsolationLevel.ReadUncommitted, epoch, lastFetched), default);

        Assert.Equal(ErrorCode.FencedLeaderEpoch, (await Read(0, 0)).Error);
        Assert.Equal(ErrorCode.UnknownLeaderEpoch, (await Read(0, 2)).Error);
        Assert.Equal(ErrorCode.None, (await Read(0, 1)).Error);
        Assert.Equal(ErrorCode.OffsetOutOfRange, (await Read(6, 1)).Error);
        Assert.Equal((0, 3), (await Read(4, 1, 0)).Diverging);
        Assert.Null((await Read(3, 1, 0)).Diverging);
        Assert.Equal(ErrorCode.OffsetOutOfRange, (await Read(3, 1, 5)).Error);
        Assert.Equal(new EpochEnd(ErrorCode.None, 0, 3), partition.EndOffsetForEpoch(1, 0));
        Assert.Equal(new EpochEnd(ErrorCode.None, 1, 5), partition.EndOffsetForEpoch(-1, 1));
        Assert.Equal(new EpochEnd(ErrorCode.None, -1, -1), partition.EndOffsetForEpoch(-1, 2));
        Assert.Equal(new EpochEnd(ErrorCode.FencedLeaderEpoch), partition.EndOffsetForEpoch(0, 0));
    }

    [Fact]
    public async Task Watchers_hear_of_the_high_watermark_and_of_the_end()
    {
        var partition = await OpenAsync();
        var watcher = new Counter();
        var watching = partition.Watch(watcher);
        await partition.AppendAsync(Batch(), Acks.All, 11);
        Assert.Equal((1, 1), (watcher.Calls, (int)partition.HighWatermark));
        _journals.Opened[0].Fail("gone");
        await partition.SteppedDown;
        await WaitAsync(() => watcher.Calls == 2);
        watching.Dispose();
    }

    private static async Task WaitAsync(Func<bool> condition)
    {
        for (var i = 0; !condition() && i < 5000; i++)
            await Task.Delay(1);
        Assert.True(condition());
    }

    private sealed class Counter : IPartitionWatcher
    {
        private int _calls;
        public int Calls => Volatile.Read(ref _calls);
        public void Changed() => Interlocked.Increment(ref _calls);
    }
}
