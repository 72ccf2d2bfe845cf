using System.Buffers;
using System.Text;
using OrleansStream.Broker.Configuration;
using OrleansStream.Broker.Engine;
using OrleansStream.Broker.Partitions;
using OrleansStream.Broker.Topics;
using OrleansStream.Protocol;
using OrleansStream.Protocol.Records;
using OrleansStream.Storage.Logs;
using OrleansStream.TestSupport;

namespace OrleansStream.Broker.Tests.Engine;

/// <summary>A store and journals, and engines that come and go over them as processes do.</summary>
internal sealed class EngineRig(bool shared = false)
{
    public TestPorts Ports { get; } = new();
    public MemoryObjectStore Store { get; } = new();
    public FakeJournals Journals { get; } = new(new SeededRandom(1000), shared);

    public int GroupSnapshotRecords { get; init; } = 100_000;

    public async Task<BrokerEngine> StartAsync(params string[] settings)
    {
        var parsed = BrokerSettingsParser.Parse(settings.Select(s => s.Split('=', 2)).Select(s => new KeyValuePair<string, string>(s[0], s[1])));
        return await BrokerEngine.StartAsync(
            new EngineParts(Ports.Runtime, Store, Journals, new ArrayChunkSource(), parsed.Settings)
            {
                Log = new LogOptions { MemoryBudgetBytes = 64 << 20, WarmBytes = 0, SealTargetBytes = 64 << 10, RetryMs = 1, MaxRetryMs = 2 },
                GroupSnapshotRecords = GroupSnapshotRecords,
            },
            new Dictionary<string, AdvertisedAddress> { ["PLAINTEXT"] = new("localhost", 9092) }, CancellationToken.None);
    }

    public static async Task<TopicPicture> CreateAsync(BrokerEngine engine, string name, int partitions = 1, params string[] configs)
    {
        var outcome = await engine.Topics.CreateAsync(Topics.AdminFixture.Topic(name, partitions, 1, configs), false, CancellationToken.None);
        Assert.False(outcome.Error.Failed, outcome.Error.Message);
        return engine.Cluster.TopicsByName[name];
    }

    public async Task<IPartition> OpenAsync(BrokerEngine engine, string topic, int index = 0)
    {
        var lease = await engine.GetPartitionAsync(engine.Cluster.TopicsByName[topic], index, CancellationToken.None);
        Assert.Equal(ErrorCode.None, lease.Error);
        return lease.Partition!;
    }

    public async Task<AppendResult> AppendAsync(IPartition partition, string text, long? timestamp = null)
    {
        using var builder = new RecordBatchBuilder();
        builder.Append(timestamp ?? Ports.Runtime.NowMilliseconds, default, Encoding.UTF8.GetBytes(text), hasKey: false);
        return await partition.AppendAsync(new ReadOnlySequence<byte>(builder.Build()), Acks.All, 12);
    }

    public static async Task<ErrorCode> ReadErrorAsync(IPartition partition, long offset)
    {
        using var read = await partition.ReadAsync(new PartitionReadRequest(offset, 1 << 20, true, IsolationLevel.ReadUncommitted), CancellationToken.None);
        return read.Error;
    }

    /// <summary>The values of all records from an offset on, one behind the other.</summary>
    public static async Task<string> ReadAllAsync(IPartition partition, long offset = 0)
    {
        var all = new StringBuilder();
        while (offset < partition.HighWatermark)
        {
            using var read = await partition.ReadAsync(new PartitionReadRequest(offset, 1 << 20, true, IsolationLevel.ReadUncommitted), CancellationToken.None);
            Assert.Equal(ErrorCode.None, read.Error);
            var rest = read.Records;
            Assert.False(rest.IsEmpty);
            while (!rest.IsEmpty)
            {
                Assert.True(RecordBatchHeader.TryRead(rest, out var header));
                var bytes = rest.Slice(0, header.SizeInBytes).ToArray();
                // One short record in each batch of these tests: six bytes before its value, the count of headers behind it.
                all.Append(Encoding.UTF8.GetString(bytes[(RecordBatchHeader.Size + 6)..^1]));
                offset = header.NextOffset;
                rest = rest.Slice(header.SizeInBytes);
            }
        }
        return all.ToString();
    }

    /// <summary>Waits until a condition holds that background work brings about; the clock goes on meanwhile.</summary>
    public async Task UntilAsync(Func<bool> condition, int stepMs = 20)
    {
        for (var i = 0; !condition(); i++)
        {
            Assert.True(i < 5000, "waited in vain");
            Ports.Time.Advance(TimeSpan.FromMilliseconds(stepMs));
            await Task.Delay(1);
        }
    }
}
