using OrleansStream.Broker.Topics;
using OrleansStream.Gateway.Tests.Fakes;
using OrleansStream.Protocol;
using OrleansStream.Protocol.Messages;

namespace OrleansStream.Gateway.Tests;

/// <summary>Fetch: sizes, waits, sessions.</summary>
public sealed class FetchTests
{
    [Fact]
    public async Task Waits_until_min_bytes_are_there()
    {
        await using TestGateway gateway = await TestGateway.StartAsync();
        TopicPicture topic = gateway.Engine.AddTopic("t", 2);
        MemoryPartition partition = gateway.Engine.Partition(topic, 1);
        using WireClient consumer = await WireClient.ConnectAsync(gateway);
        using WireClient producer = await WireClient.ConnectAsync(gateway);

        await consumer.SendAsync(Requests.Fetch("t", [(0, 0), (1, 0)], minBytes: 200, maxWaitMs: 1_000_000), 11);
        await PipeliningTests.WaitUntil(() => partition.Watchers == 1);
        // 61 and 122 bytes are not enough, 244 are.
        foreach ((int target, int total) in new[] { (1, 1), (0, 2), (1, 3), (0, 4) })
        {
            Assert.Equal(1, partition.Watchers);
            await producer.ProduceAsync(Requests.Produce("t", target, Requests.Batch(total)), 9);
        }
        (_, FetchResponse response) = await consumer.ReceiveAsync<FetchResponse>(FetchRequest.Info, 11);
        Assert.Equal(244, response.Responses[0].Partitions.Sum(p => p.Records!.Value.Length));
        Assert.Equal(0, partition.Watchers);
        Assert.Equal(0, partition.OpenReads);
    }

    [Fact]
    public async Task Answers_without_data_when_the_wait_is_over()
    {
        await using TestGateway gateway = await TestGateway.StartAsync();
        TopicPicture topic = gateway.Engine.AddTopic("t");
        using WireClient consumer = await WireClient.ConnectAsync(gateway);
        FetchResponse response = await consumer.FetchAsync(Requests.Fetch("t", [(0, 0)], minBytes: 1, maxWaitMs: 30), 11);
        Assert.Equal(0, response.Responses[0].Partitions[0].Records!.Value.Length);
        Assert.Equal(0, gateway.Engine.Partition(topic, 0).Watchers);
    }

    [Fact]
    public async Task A_wait_ends_with_its_connection()
    {
        await using TestGateway gateway = await TestGateway.StartAsync();
        MemoryPartition partition = gateway.Engine.Partition(gateway.Engine.AddTopic("t"), 0);
        using (WireClient consumer = await WireClient.ConnectAsync(gateway))
        {
            await consumer.SendAsync(Requests.Fetch("t", [(0, 0)], minBytes: 1, maxWaitMs: 1_000_000), 11);
            await PipeliningTests.WaitUntil(() => partition.Watchers == 1);
        }
        await PipeliningTests.WaitUntil(() => partition is { Watchers: 0, OpenReads: 0 });
    }

    [Fact]
    public async Task The_first_batch_is_given_even_where_it_is_larger_than_max_bytes()
    {
        await using TestGateway gateway = await TestGateway.StartAsync();
        gateway.Engine.AddTopic("t", 3);
        using WireClient client = await WireClient.ConnectAsync(gateway);
        for (int partition = 0; partition < 3; partition++)
        {
            await client.ProduceAsync(Requests.Produce("t", partition, Requests.Batch(1, 1000)), 9);
            await client.ProduceAsync(Requests.Produce("t", partition, Requests.Batch(1, 1000)), 9);
        }
        FetchResponse tiny = await client.FetchAsync(Requests.Fetch("t", [(0, 2), (1, 0), (2, 0)], maxBytes: 10), 11);
        Assert.Equal([0, 1061, 0], tiny.Responses[0].Partitions.Select(p => p.Records!.Value.Length));
        FetchResponse three = await client.FetchAsync(Requests.Fetch("t", [(0, 0), (1, 0), (2, 0)], maxBytes: 3500), 11);
        Assert.Equal([2122, 1061, 0], three.Responses[0].Partitions.Select(p => p.Records!.Value.Length));
    }

    [Fact]
    public async Task An_error_is_answered_at_once_and_has_no_offsets()
    {
        await using TestGateway gateway = await TestGateway.StartAsync();
        gateway.Engine.AddTopic("t");
        using WireClient client = await WireClient.ConnectAsync(gateway);
        FetchResponse response = await client.FetchAsync(Requests.Fetch("t", [(0, 99), (5, 0)], minBytes: 1, maxWaitMs: 1_000_000), 11);
        Assert.Equal(
            [(short)ErrorCode.OffsetOutOfRange, (short)ErrorCode.UnknownTopicOrPartition], response.Responses[0].Partitions.Select(p => p.ErrorCode));
        Assert.All(response.Responses[0].Partitions, p => Assert.Equal((-1, -1, -1), (p.HighWatermark, p.LastStableOffset, p.LogStartOffset)));
        FetchResponse unknown = await client.FetchAsync(ById(Guid.NewGuid()), 13);
        Assert.Equal((short)ErrorCode.UnknownTopicId, unknown.Responses[0].Partitions[0].ErrorCode);
    }

    [Fact]
    public async Task An_incremental_fetch_names_only_what_is_new()
    {
        await using TestGateway gateway = await TestGateway.StartAsync();
        gateway.Engine.AddTopic("t", 3);
        using WireClient client = await WireClient.ConnectAsync(gateway);

        FetchResponse full = await client.FetchAsync(Requests.Fetch("t", [(0, 0), (1, 0), (2, 0)], epoch: 0), 11);
        Assert.NotEqual(0, full.SessionId);
        Assert.Equal(3, full.Responses[0].Partitions.Count);
        Assert.Empty((await client.FetchAsync(Requests.Fetch("t", [], session: full.SessionId, epoch: 1), 11)).Responses);

        await client.ProduceAsync(Requests.Produce("t", 1, Requests.Batch(1)), 9);
        FetchResponse one = await client.FetchAsync(Requests.Fetch("t", [], session: full.SessionId, epoch: 2), 11);
        Assert.Equal(full.SessionId, one.SessionId);
        Assert.Equal([1], one.Responses[0].Partitions.Select(p => p.PartitionIndex));

        // What the client has read it says in the next request; the high watermark is known to it by then.
        Assert.Empty((await client.FetchAsync(Requests.Fetch("t", [(1, 1)], session: full.SessionId, epoch: 3), 11)).Responses);

        // Partition 1 has just given data: it stands last now, so that a busy partition does not starve the others.
        for (int partition = 0; partition < 3; partition++)
            await client.ProduceAsync(Requests.Produce("t", partition, Requests.Batch(1)), 9);
        FetchResponse rotated = await client.FetchAsync(Requests.Fetch("t", [], session: full.SessionId, epoch: 4), 11);
        Assert.Equal([0, 2, 1], rotated.Responses[0].Partitions.Select(p => p.PartitionIndex));
    }

    [Fact]
    public async Task A_session_is_refused_by_id_epoch_and_naming_and_ends_when_all_is_forgotten()
    {
        await using TestGateway gateway = await TestGateway.StartAsync();
        TopicPicture topic = gateway.Engine.AddTopic("t", 2);
        using WireClient client = await WireClient.ConnectAsync(gateway);
        Assert.Equal((short)ErrorCode.FetchSessionIdNotFound, (await client.FetchAsync(Requests.Fetch("t", [], session: 77, epoch: 1), 11)).ErrorCode);

        FetchResponse full = await client.FetchAsync(Requests.Fetch("t", [(0, 0), (1, 0)], epoch: 0), 11);
        Assert.Equal(
            (short)ErrorCode.InvalidFetchSessionEpoch, (await client.FetchAsync(Requests.Fetch("t", [], session: full.SessionId, epoch: 7), 11)).ErrorCode);
        FetchRequest otherNaming = ById(topic.Id);
        (otherNaming.SessionId, otherNaming.SessionEpoch) = (full.SessionId, 1);
        Assert.Equal((short)ErrorCode.FetchSessionTopicIdError, (await client.FetchAsync(otherNaming, 13)).ErrorCode);

        FetchRequest forget = Requests.Fetch("t", [], session: full.SessionId, epoch: 1);
        forget.ForgottenTopicsData = [new() { Topic = "t", Partitions = [0, 1] }];
        FetchResponse last = await client.FetchAsync(forget, 11);
        Assert.Equal((0, (short)0), (last.SessionId, last.ErrorCode));
        Assert.Equal(0, gateway.Gateway.Sessions.Count);
    }

    [Fact]
    public async Task A_session_hears_of_an_error_again_and_again_and_of_its_end()
    {
        await using TestGateway gateway = await TestGateway.StartAsync();
        TopicPicture topic = gateway.Engine.AddTopic("t");
        using WireClient client = await WireClient.ConnectAsync(gateway);
        FetchRequest first = ById(topic.Id);
        first.SessionEpoch = 0;
        int session = (await client.FetchAsync(first, 13)).SessionId;
        await gateway.Engine.DeleteAsync(topic, CancellationToken.None);
        for (int epoch = 1; epoch < 4; epoch++)
        {
            FetchResponse gone = await client.FetchAsync(Requests.Fetch("", [], session: session, epoch: epoch), 13);
            Assert.Equal((short)ErrorCode.UnknownTopicId, gone.Responses[0].Partitions[0].ErrorCode);
        }
    }

    [Fact]
    public async Task A_full_cache_gives_way_to_larger_sessions_only()
    {
        await using TestGateway gateway = await TestGateway.StartAsync(new GatewayOptions { FetchSessionSlots = 2 });
        gateway.Engine.AddTopic("t", 9);
        using WireClient client = await WireClient.ConnectAsync(gateway);
        int one = (await client.FetchAsync(Requests.Fetch("t", [(0, 0)], epoch: 0), 11)).SessionId;
        int two = (await client.FetchAsync(Requests.Fetch("t", [(0, 0), (1, 0)], epoch: 0), 11)).SessionId;
        Assert.Equal(0, (await client.FetchAsync(Requests.Fetch("t", [(0, 0)], epoch: 0), 11)).SessionId);
        int three = (await client.FetchAsync(Requests.Fetch("t", [(0, 0), (1, 0), (2, 0)], epoch: 0), 11)).SessionId;
        Assert.NotEqual(0, three);
        Assert.Equal((short)ErrorCode.FetchSessionIdNotFound, (await client.FetchAsync(Requests.Fetch("t", [], session: one, epoch: 1), 11)).ErrorCode);
        Assert.Equal(0, (await client.FetchAsync(Requests.Fetch("t", [], session: two, epoch: 1), 11)).ErrorCode);
    }

    private static FetchRequest ById(Guid topicId)
    {
        FetchRequest request = Requests.Fetch("", [(0, 0)]);
        request.Topics[0].TopicId = topicId;
        return request;
    }
}
