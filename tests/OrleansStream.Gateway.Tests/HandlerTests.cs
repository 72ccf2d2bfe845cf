using OrleansStream.Broker.Topics;
using OrleansStream.Gateway.Tests.Fakes;
using OrleansStream.Protocol;
using OrleansStream.Protocol.Messages;

namespace OrleansStream.Gateway.Tests;

/// <summary>What single requests answer.</summary>
public sealed class HandlerTests
{
    [Theory]
    [InlineData(99)]
    [InlineData(5)]
    [InlineData(-1)]
    public async Task An_unknown_version_of_ApiVersions_is_answered_in_version_0(short version)
    {
        await using TestGateway gateway = await TestGateway.StartAsync();
        using WireClient client = await WireClient.ConnectAsync(gateway);
        byte[] frame = WireClient.Frame(new ApiVersionsRequest { ClientSoftwareName = "test", ClientSoftwareVersion = "1" }, 3, 5);
        System.Buffers.Binary.BinaryPrimitives.WriteInt16BigEndian(frame.AsSpan(6), version);
        await client.SendBytesAsync(frame);
        (int correlation, ApiVersionsResponse response) = await client.ReceiveAsync<ApiVersionsResponse>(ApiVersionsRequest.Info, 0);
        Assert.Equal(5, correlation);
        Assert.Equal((short)ErrorCode.UnsupportedVersion, response.ErrorCode);
        Assert.Equal((18, 0, 4), (response.ApiKeys.Single().ApiKey, response.ApiKeys[0].MinVersion, response.ApiKeys[0].MaxVersion));
    }

    [Fact]
    public async Task ApiVersions_names_what_is_served_and_Produce_from_0()
    {
        await using TestGateway gateway = await TestGateway.StartAsync();
        using WireClient client = await WireClient.ConnectAsync(gateway);
        var request = new ApiVersionsRequest { ClientSoftwareName = "test", ClientSoftwareVersion = "1" };
        ApiVersionsResponse response = await client.AskAsync<ApiVersionsRequest, ApiVersionsResponse>(request, 4);
        Assert.Equal(gateway.Gateway.Apis.All.Select(a => (short)a.Api), response.ApiKeys.Select(a => a.ApiKey));
        ApiVersionsResponse.ApiVersion produce = response.ApiKeys.Single(a => a.ApiKey == (short)ApiKey.Produce);
        Assert.Equal((0, 13), (produce.MinVersion, produce.MaxVersion));
        Assert.DoesNotContain(response.ApiKeys, a => a.ApiKey == (short)ApiKey.EndTxn);
        request.ClientSoftwareName = "-bad-";
        Assert.Equal((short)ErrorCode.InvalidRequest, (await client.AskAsync<ApiVersionsRequest, ApiVersionsResponse>(request, 3)).ErrorCode);
    }

    [Theory]
    [InlineData((short)3, -1, ErrorCode.None)]
    [InlineData((short)9, 1, ErrorCode.None)]
    [InlineData((short)9, 5, ErrorCode.InvalidRequiredAcks)]
    public async Task Produce_takes_the_acks_that_exist(short version, short acks, ErrorCode expected)
    {
        await using TestGateway gateway = await TestGateway.StartAsync();
        gateway.Engine.AddTopic("t");
        gateway.Engine.ThrottleMs = 17;
        using WireClient client = await WireClient.ConnectAsync(gateway);
        ProduceResponse response = await client.ProduceAsync(Requests.Produce("t", 0, Requests.Batch(1), acks), version);
        Assert.Equal((short)expected, response.Responses[0].PartitionResponses[0].ErrorCode);
        Assert.Equal(17, response.ThrottleTimeMs);
    }

    [Fact]
    public async Task Produce_answers_every_partition_by_itself()
    {
        await using TestGateway gateway = await TestGateway.StartAsync();
        TopicPicture topic = gateway.Engine.AddTopic("t", 2);
        using WireClient client = await WireClient.ConnectAsync(gateway);
        ProduceRequest request = Requests.Produce("", 0, Requests.Batch(3));
        request.TopicData[0].TopicId = topic.Id;
        request.TopicData[0].PartitionData.Add(new() { Index = 7, Records = new(Requests.Batch(1)) });
        request.TopicData[0].PartitionData.Add(new() { Index = 1, Records = null });
        request.TopicData.Add(new() { TopicId = Guid.NewGuid(), PartitionData = [new() { Index = 0, Records = new(Requests.Batch(1)) }] });
        ProduceResponse response = await client.ProduceAsync(request, 13);
        Assert.Equal(
            [(short)ErrorCode.None, (short)ErrorCode.UnknownTopicOrPartition, (short)ErrorCode.InvalidRecord],
            response.Responses[0].PartitionResponses.Select(p => p.ErrorCode));
        Assert.Equal((short)ErrorCode.UnknownTopicId, response.Responses[1].PartitionResponses[0].ErrorCode);
    }

    [Fact]
    public async Task Produce_with_a_transactional_id_is_refused_until_transactions_exist()
    {
        await using TestGateway gateway = await TestGateway.StartAsync();
        TopicPicture topic = gateway.Engine.AddTopic("t");
        using WireClient client = await WireClient.ConnectAsync(gateway);
        ProduceRequest request = Requests.Produce("t", 0, Requests.Batch(1));
        request.TransactionalId = "tx";
        ProduceResponse response = await client.ProduceAsync(request, 9);
        Assert.Equal((short)ErrorCode.InvalidTxnState, response.Responses[0].PartitionResponses[0].ErrorCode);
        Assert.Equal(0, gateway.Engine.Partition(topic, 0).HighWatermark);
    }

    [Fact]
    public async Task Produce_gives_up_waiting_after_the_client_s_time()
    {
        await using TestGateway gateway = await TestGateway.StartAsync();
        gateway.Engine.AddTopic("t");
        gateway.Engine.HoldAppends = true;
        using WireClient client = await WireClient.ConnectAsync(gateway);
        ProduceResponse response = await client.ProduceAsync(Requests.Produce("t", 0, Requests.Batch(1), timeoutMs: 20), 9);
        Assert.Equal((short)ErrorCode.RequestTimedOut, response.Responses[0].PartitionResponses[0].ErrorCode);
    }

    [Fact]
    public async Task A_new_leader_is_named_in_the_answer()
    {
        await using TestGateway gateway = await TestGateway.StartAsync();
        TopicPicture topic = gateway.Engine.AddTopic("t");
        gateway.Engine.Partition(topic, 0).FailWith = ErrorCode.NotLeaderOrFollower;
        using WireClient client = await WireClient.ConnectAsync(gateway);
        ProduceResponse response = await client.ProduceAsync(Requests.Produce("t", 0, Requests.Batch(1)), 10);
        Assert.Equal(1, response.Responses[0].PartitionResponses[0].CurrentLeader.LeaderId);
        Assert.Equal(gateway.Port, response.NodeEndpoints.Single().Port);
    }

    [Fact]
    public async Task Metadata_finds_topics_by_name_by_id_and_all_of_them()
    {
        await using TestGateway gateway = await TestGateway.StartAsync();
        TopicPicture topic = gateway.Engine.AddTopic("t", 3);
        gateway.Engine.AddTopic("u");
        using WireClient client = await WireClient.ConnectAsync(gateway);

        MetadataResponse named = await client.MetadataAsync(Requests.Metadata("t", "t", "nope", "no good"), 9);
        Assert.Equal(
            [("t", (short)0, 3), ("nope", (short)ErrorCode.UnknownTopicOrPartition, 0), ("no good", (short)ErrorCode.InvalidTopicException, 0)],
            named.Topics.Select(t => (t.Name!, t.ErrorCode, t.Partitions.Count)));
        Assert.Equal(("127.0.0.1", gateway.Port, 1), (named.Brokers[0].Host, named.Brokers[0].Port, named.ControllerId));

        var byId = new MetadataRequest { Topics = [new() { TopicId = topic.Id }, new() { TopicId = Guid.NewGuid() }] };
        MetadataResponse found = await client.MetadataAsync(byId, 12);
        Assert.Equal([("t", (short)0), (null, (short)ErrorCode.UnknownTopicId)], found.Topics.Select(t => (t.Name, t.ErrorCode)));

        Assert.Equal(2, (await client.MetadataAsync(new MetadataRequest { Topics = null }, 9)).Topics.Count);
        Assert.Empty((await client.MetadataAsync(new MetadataRequest { Topics = [] }, 9)).Topics);
        Assert.Equal(2, (await client.MetadataAsync(new MetadataRequest { Topics = [] }, 0)).Topics.Count);
    }

    [Theory]
    [InlineData(true, true, ErrorCode.None)]
    [InlineData(true, false, ErrorCode.UnknownTopicOrPartition)]
    [InlineData(false, true, ErrorCode.UnknownTopicOrPartition)]
    public async Task Metadata_makes_topics_where_client_and_broker_allow_it(bool client, bool broker, ErrorCode expected)
    {
        await using TestGateway gateway = await TestGateway.StartAsync(new GatewayOptions { AutoCreateTopics = broker });
        using WireClient wire = await WireClient.ConnectAsync(gateway);
        MetadataRequest request = Requests.Metadata("fresh");
        request.AllowAutoTopicCreation = client;
        Assert.Equal((short)expected, (await wire.MetadataAsync(request, 9)).Topics[0].ErrorCode);
        Assert.Equal(expected == ErrorCode.None, gateway.Engine.Cluster.TopicsByName.ContainsKey("fresh"));
    }

    [Fact]
    public async Task DescribeTopicPartitions_pages_by_its_cursor()
    {
        await using TestGateway gateway = await TestGateway.StartAsync();
        gateway.Engine.AddTopic("b", 5);
        gateway.Engine.AddTopic("a", 2);
        using WireClient client = await WireClient.ConnectAsync(gateway);
        var seen = new List<(string?, int)>();
        var request = new DescribeTopicPartitionsRequest { ResponsePartitionLimit = 3 };
        int pages = 0;
        do
        {
            var page = await client.AskAsync<DescribeTopicPartitionsRequest, DescribeTopicPartitionsResponse>(request, 0);
            seen.AddRange(page.Topics.SelectMany(t => t.Partitions.Select(p => (t.Name, p.PartitionIndex))));
            request.Cursor = page.NextCursor is { } next ? new() { TopicName = next.TopicName, PartitionIndex = next.PartitionIndex } : null;
            pages++;
        }
        while (request.Cursor is not null);
        Assert.Equal(3, pages);
        Assert.Equal([("a", 0), ("a", 1), ("b", 0), ("b", 1), ("b", 2), ("b", 3), ("b", 4)], seen);
    }

    [Fact]
    public async Task InitProducerId_gives_new_ids_and_refuses_transactions()
    {
        await using TestGateway gateway = await TestGateway.StartAsync();
        using WireClient client = await WireClient.ConnectAsync(gateway);
        Task<InitProducerIdResponse> Ask(InitProducerIdRequest request) => client.AskAsync<InitProducerIdRequest, InitProducerIdResponse>(request, 4);
        InitProducerIdResponse one = await Ask(new() { TransactionalId = null });
        InitProducerIdResponse two = await Ask(new() { TransactionalId = null, ProducerId = one.ProducerId, ProducerEpoch = 3 });
        Assert.True(two.ProducerId > one.ProducerId);
        Assert.Equal((0, 0), (two.ErrorCode, two.ProducerEpoch));
        Assert.Equal((short)ErrorCode.InvalidRequest, (await Ask(new() { TransactionalId = null, ProducerId = 5 })).ErrorCode);
        Assert.Equal((short)ErrorCode.InvalidRequest, (await Ask(new() { TransactionalId = "" })).ErrorCode);
        Assert.Equal((short)ErrorCode.UnsupportedVersion, (await Ask(new() { TransactionalId = "tx" })).ErrorCode);
    }

    [Fact]
    public async Task ListOffsets_refuses_what_a_version_does_not_know_and_what_is_asked_twice()
    {
        await using TestGateway gateway = await TestGateway.StartAsync();
        gateway.Engine.AddTopic("t");
        using WireClient client = await WireClient.ConnectAsync(gateway);
        async Task<short> Ask(short version, params long[] timestamps)
        {
            var request = new ListOffsetsRequest
            {
                ReplicaId = -1,
                Topics = [new() { Name = "t", Partitions = [.. timestamps.Select(t => new ListOffsetsRequest.ListOffsetsPartition { Timestamp = t })] }],
            };
            return (await client.AskAsync<ListOffsetsRequest, ListOffsetsResponse>(request, version)).Topics[0].Partitions[0].ErrorCode;
        }
        Assert.Equal(0, await Ask(1, -1));
        Assert.Equal((short)ErrorCode.UnsupportedVersion, await Ask(6, -3));
        Assert.Equal(0, await Ask(7, -3));
        Assert.Equal((short)ErrorCode.UnsupportedVersion, await Ask(11, -7));
        Assert.Equal((short)ErrorCode.InvalidRequest, await Ask(5, -1, -2));
    }

    [Fact]
    public async Task Topics_are_made_and_deleted_by_name_and_id()
    {
        await using TestGateway gateway = await TestGateway.StartAsync();
        using WireClient client = await WireClient.ConnectAsync(gateway);
        var create = new CreateTopicsRequest { Topics = [new() { Name = "t", NumPartitions = 2, ReplicationFactor = 1 }, new() { Name = "u" }, new() { Name = "u" }] };
        CreateTopicsResponse made = await client.AskAsync<CreateTopicsRequest, CreateTopicsResponse>(create, 7);
        Assert.Equal([("t", 0), ("u", (short)ErrorCode.InvalidRequest)], made.Topics.Select(t => (t.Name, (int)t.ErrorCode)));
        var delete = new DeleteTopicsRequest
        {
            Topics = [new() { TopicId = made.Topics[0].TopicId }, new() { Name = "x" }, new() { Name = null, TopicId = Guid.NewGuid() }, new() { Name = null }],
        };
        DeleteTopicsResponse deleted = await client.AskAsync<DeleteTopicsRequest, DeleteTopicsResponse>(delete, 6);
        Assert.Equal(
            [("t", 0), ("x", (int)ErrorCode.UnknownTopicOrPartition), (null, (int)ErrorCode.UnknownTopicId), (null, (int)ErrorCode.InvalidRequest)],
            deleted.Responses.Select(r => (r.Name, (int)r.ErrorCode)));
        Assert.Empty(gateway.Engine.Cluster.TopicsByName);
    }

    [Fact]
    public async Task Every_advertised_version_of_every_api_is_answered()
    {
        await using TestGateway gateway = await TestGateway.StartAsync();
        gateway.Engine.AddTopic("t");
        using WireClient client = await WireClient.ConnectAsync(gateway);
        foreach (Dispatch.ApiHandler api in gateway.Gateway.Apis.All)
        {
            for (short version = api.MinVersion; version <= api.MaxVersion; version++)
            {
                byte[] body = Minimal(api.RequestInfo, version);
                await client.SendBytesAsync(body);
                byte[] frame = await client.ReceiveFrameAsync() ?? throw new InvalidOperationException($"{api.Api} version {version} closed the connection");
                var reader = new KafkaReader(frame);
                reader.ReadInt32();
                if (api.RequestInfo.ResponseHeaderVersion(version) >= 1)
                    reader.SkipTaggedFields();
                ApiTable.ReadResponse((short)api.Api, ref reader, version);
                reader.ExpectEnd();
            }
        }
    }

    // A request with the defaults of its fields, by its type's name.
    private static byte[] Minimal(MessageInfo info, short version)
    {
        Type type = typeof(ProduceRequest).Assembly.GetType($"OrleansStream.Protocol.Messages.{info.Name}")!;
        object request = Activator.CreateInstance(type)!;
        if (request is ProduceRequest produce)
            produce.Acks = -1;
        if (request is ApiVersionsRequest apiVersions)
            (apiVersions.ClientSoftwareName, apiVersions.ClientSoftwareVersion) = ("test", "1");
        return (byte[])typeof(WireClient).GetMethod(nameof(WireClient.Frame))!.MakeGenericMethod(type).Invoke(null, [request, version, 1])!;
    }
}
