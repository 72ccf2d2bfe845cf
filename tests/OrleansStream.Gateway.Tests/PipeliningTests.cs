using Microsoft.AspNetCore.Connections;
using Microsoft.Extensions.DependencyInjection;
using OrleansStream.Broker.Topics;
using OrleansStream.Gateway.Tests.Fakes;
using OrleansStream.Protocol;
using OrleansStream.Protocol.Messages;

namespace OrleansStream.Gateway.Tests;

/// <summary>Requests of one connection: appends in order and several under way, answers in order, everything else behind them.</summary>
public sealed class PipeliningTests
{
    [Fact]
    public async Task Appends_start_before_earlier_ones_are_acknowledged_and_are_answered_in_order()
    {
        await using TestGateway gateway = await TestGateway.StartAsync();
        TopicPicture topic = gateway.Engine.AddTopic("t");
        MemoryPartition partition = gateway.Engine.Partition(topic, 0);
        gateway.Engine.HoldAppends = true;
        using WireClient client = await WireClient.ConnectAsync(gateway);

        for (int i = 0; i < 5; i++)
            await client.SendAsync(Requests.Produce("t", 0, Requests.Batch(10)), 9);
        await WaitUntil(() => partition.Held == 5);
        for (int i = 0; i < 5; i++)
        {
            partition.Release();
            (int correlation, ProduceResponse response) = await client.ReceiveAsync<ProduceResponse>(ProduceRequest.Info, 9);
            Assert.Equal(i + 1, correlation);
            Assert.Equal(10 * i, response.Responses[0].PartitionResponses[0].BaseOffset);
        }
    }

    [Fact]
    public async Task Commits_begin_before_earlier_ones_are_durable_and_are_answered_in_order()
    {
        await using TestGateway gateway = await TestGateway.StartAsync();
        gateway.Engine.AddTopic("t");
        MemoryPartition offsets = gateway.Engine.Partition(gateway.Engine.AddTopic("__consumer_offsets"), 0);
        using WireClient client = await WireClient.ConnectAsync(gateway);
        await client.SendAsync(Requests.Commit("g", "t", 0, 100), 9);
        Assert.Equal(0, (await client.ReceiveAsync<OffsetCommitResponse>(OffsetCommitRequest.Info, 9)).Body.Topics[0].Partitions[0].ErrorCode);

        gateway.Engine.HoldAppends = true;
        for (int i = 1; i <= 3; i++)
        {
            await client.SendAsync(Requests.Commit("g", "t", 0, 100 + i), 9);
            await WaitUntil(() => offsets.Held == i);
        }
        for (int i = 1; i <= 3; i++)
        {
            offsets.Release();
            (int correlation, OffsetCommitResponse response) = await client.ReceiveAsync<OffsetCommitResponse>(OffsetCommitRequest.Info, 9);
            Assert.Equal((i + 1, 0), (correlation, response.Topics[0].Partitions[0].ErrorCode));
        }
    }

    [Fact]
    public async Task Other_requests_wait_for_the_acknowledgements_before_them()
    {
        await using TestGateway gateway = await TestGateway.StartAsync();
        TopicPicture topic = gateway.Engine.AddTopic("t");
        MemoryPartition partition = gateway.Engine.Partition(topic, 0);
        gateway.Engine.HoldAppends = true;
        using WireClient client = await WireClient.ConnectAsync(gateway);

        await client.SendAsync(Requests.Produce("t", 0, Requests.Batch(1)), 9);
        await client.SendAsync(Requests.Metadata("t"), 9);
        await client.SendAsync(Requests.Produce("t", 0, Requests.Batch(1)), 9);
        await WaitUntil(() => partition.Held == 1);
        Assert.Equal(1, partition.HighWatermark);
        partition.Release();
        Assert.Equal(1, (await client.ReceiveAsync<ProduceResponse>(ProduceRequest.Info, 9)).Correlation);
        Assert.Equal(2, (await client.ReceiveAsync<MetadataResponse>(MetadataRequest.Info, 9)).Correlation);
        await WaitUntil(() => partition.Held == 1);
        partition.Release();
        Assert.Equal(3, (await client.ReceiveAsync<ProduceResponse>(ProduceRequest.Info, 9)).Correlation);
    }

    [Fact]
    public async Task Hundreds_of_requests_in_one_write_are_all_answered_in_order()
    {
        await using TestGateway gateway = await TestGateway.StartAsync();
        gateway.Engine.AddTopic("t");
        using WireClient client = await WireClient.ConnectAsync(gateway);

        var all = new List<byte>();
        for (int i = 0; i < 2000; i++)
            all.AddRange(i % 7 == 0 ? WireClient.Frame(Requests.Metadata("t"), 9, i) : WireClient.Frame(Requests.Produce("t", 0, Requests.Batch(1, 100)), 9, i));
        Task sending = client.SendBytesAsync(all.ToArray());
        long expected = 0;
        for (int i = 0; i < 2000; i++)
        {
            if (i % 7 == 0)
            {
                Assert.Equal(i, (await client.ReceiveAsync<MetadataResponse>(MetadataRequest.Info, 9)).Correlation);
                continue;
            }
            (int correlation, ProduceResponse response) = await client.ReceiveAsync<ProduceResponse>(ProduceRequest.Info, 9);
            Assert.Equal(i, correlation);
            Assert.Equal(expected++, response.Responses[0].PartitionResponses[0].BaseOffset);
        }
        await sending;
    }

    [Fact]
    public async Task A_request_may_come_byte_by_byte_or_be_larger_than_the_pipe()
    {
        await using TestGateway gateway = await TestGateway.StartAsync();
        TopicPicture topic = gateway.Engine.AddTopic("t");
        using WireClient client = await WireClient.ConnectAsync(gateway);

        foreach (byte b in WireClient.Frame(Requests.Metadata("t"), 9, 1))
            await client.SendBytesAsync(new[] { b });
        Assert.Equal(1, (await client.ReceiveAsync<MetadataResponse>(MetadataRequest.Info, 9)).Correlation);

        await client.SendBytesAsync(WireClient.Frame(Requests.Produce("t", 0, Requests.Batch(1, 20 << 20)), 9, 2));
        Assert.Equal(2, (await client.ReceiveAsync<ProduceResponse>(ProduceRequest.Info, 9)).Correlation);
        Assert.Equal((20 << 20) + 61, gateway.Engine.Partition(topic, 0).SizeBytes);

        FetchRequest wish = Requests.Fetch("t", [(0, 0)]);
        FetchResponse fetched = await client.FetchAsync(wish, 11);
        Assert.Equal((20 << 20) + 61, fetched.Responses[0].Partitions[0].Records!.Value.Length);
        // The client may have the last byte before the gateway hears that it is sent.
        await WaitUntil(() => gateway.Engine.Partition(topic, 0).OpenReads == 0);
    }

    [Fact]
    public async Task Acks_0_is_not_answered_and_what_was_sent_before_the_end_counts()
    {
        await using TestGateway gateway = await TestGateway.StartAsync();
        TopicPicture topic = gateway.Engine.AddTopic("t");
        MemoryPartition partition = gateway.Engine.Partition(topic, 0);
        using (WireClient client = await WireClient.ConnectAsync(gateway))
        {
            await client.SendAsync(Requests.Produce("t", 0, Requests.Batch(1), acks: 0), 9);
            int asked = await client.SendAsync(Requests.Metadata("t"), 9);
            Assert.Equal(asked, (await client.ReceiveAsync<MetadataResponse>(MetadataRequest.Info, 9)).Correlation);
            for (int i = 0; i < 100; i++)
                await client.SendAsync(Requests.Produce("t", 0, Requests.Batch(1, 1000), acks: 0), 9);
        }
        await WaitUntil(() => partition.HighWatermark == 101);
    }

    [Fact]
    public async Task Acks_0_with_an_error_closes_the_connection()
    {
        await using TestGateway gateway = await TestGateway.StartAsync();
        using WireClient client = await WireClient.ConnectAsync(gateway);
        await client.SendAsync(Requests.Produce("nowhere", 0, Requests.Batch(1), acks: 0), 9);
        Assert.Null(await client.ReceiveFrameAsync());
    }

    [Fact]
    public async Task A_stop_lets_answers_under_way_leave()
    {
        await using TestGateway gateway = await TestGateway.StartAsync();
        TopicPicture topic = gateway.Engine.AddTopic("t");
        MemoryPartition partition = gateway.Engine.Partition(topic, 0);
        gateway.Engine.HoldAppends = true;
        using WireClient producer = await WireClient.ConnectAsync(gateway);
        using WireClient consumer = await WireClient.ConnectAsync(gateway);
        await producer.SendAsync(Requests.Produce("t", 0, Requests.Batch(1)), 9);
        await WaitUntil(() => partition.Held == 1);
        await consumer.SendAsync(Requests.Fetch("t", [(0, 1)], minBytes: 1, maxWaitMs: 1_000_000), 11);
        await WaitUntil(() => partition.Watchers == 1);

        gateway.Gateway.Stop();
        (_, FetchResponse nothing) = await consumer.ReceiveAsync<FetchResponse>(FetchRequest.Info, 11);
        Assert.Equal(0, nothing.Responses[0].Partitions[0].Records!.Value.Length);
        partition.Release();
        (_, ProduceResponse acknowledged) = await producer.ReceiveAsync<ProduceResponse>(ProduceRequest.Info, 9);
        Assert.Equal(0, acknowledged.Responses[0].PartitionResponses[0].ErrorCode);
        Assert.Null(await producer.ReceiveFrameAsync());
        Assert.Null(await consumer.ReceiveFrameAsync());
    }

    [Fact]
    public async Task Sockets_receive_into_large_blocks()
    {
        await using TestGateway gateway = await TestGateway.StartAsync();
        var factory = gateway.Services.GetRequiredService<IMemoryPoolFactory<byte>>();
        using System.Buffers.MemoryPool<byte> pool = factory.Create();
        using System.Buffers.IMemoryOwner<byte> block = pool.Rent();
        Assert.Equal(Connections.BlockMemoryPool.BlockBytes, block.Memory.Length);
    }

    internal static async Task WaitUntil(Func<bool> condition)
    {
        using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(60));
        while (!condition())
            await Task.Delay(5, patience.Token);
    }
}
