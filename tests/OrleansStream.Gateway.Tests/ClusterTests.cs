using OrleansStream.Broker.Engine;
using OrleansStream.Broker.Topics;
using OrleansStream.Gateway.Tests.Fakes;
using OrleansStream.Protocol;
using OrleansStream.Protocol.Messages;

namespace OrleansStream.Gateway.Tests;

/// <summary>One broker of several: who leads elsewhere, who leads here but not yet.</summary>
public sealed class ClusterTests
{
    private static async Task<(TestGateway Gateway, TopicPicture Topic, WireClient Client)> StartAsync(int partitions = 1, GatewayOptions? options = null)
    {
        TestGateway gateway = await TestGateway.StartAsync(options);
        gateway.Engine.AddBroker(2, "two.example", 9092, "rack-2");
        gateway.Engine.AddBroker(3, "three.example", 9093, null);
        return (gateway, gateway.Engine.AddTopic("t", partitions, replicationFactor: 3), await WireClient.ConnectAsync(gateway));
    }

    [Theory]
    [InlineData(9, false)]
    [InlineData(10, true)]
    [InlineData(12, true)]
    public async Task A_produce_to_the_wrong_broker_names_the_leader_and_its_address_where_the_version_can(short version, bool named)
    {
        (TestGateway gateway, TopicPicture topic, WireClient client) = await StartAsync(2);
        await using (gateway)
        using (client)
        {
            gateway.Engine.Lead(topic, 0, 2, 17);
            ProduceResponse response = await client.ProduceAsync(Requests.Produce("t", 0, Requests.Batch(1)), version);
            ProduceResponse.PartitionProduceResponse answer = response.Responses[0].PartitionResponses[0];
            Assert.Equal((short)ErrorCode.NotLeaderOrFollower, answer.ErrorCode);
            Assert.Equal(named ? (2, 17) : (-1, -1), (answer.CurrentLeader.LeaderId, answer.CurrentLeader.LeaderEpoch));
            Assert.Equal(named ? ["2 two.example:9092 rack-2"] : [], response.NodeEndpoints.Select(n => $"{n.NodeId} {n.Host}:{n.Port} {n.Rack}"));
        }
    }

    [Theory]
    [InlineData(11, false)]
    [InlineData(16, true)]
    public async Task A_fetch_from_the_wrong_broker_names_the_leader_and_its_address_where_the_version_can(short version, bool named)
    {
        (TestGateway gateway, TopicPicture topic, WireClient client) = await StartAsync(2);
        await using (gateway)
        using (client)
        {
            gateway.Engine.Lead(topic, 0, 3, 4);
            FetchRequest request = Requests.Fetch("t", [(0, 0)], minBytes: 1, maxWaitMs: 1_000_000);
            request.Topics[0].TopicId = topic.Id;
            FetchResponse response = await client.FetchAsync(request, version);
            FetchResponse.PartitionData answer = response.Responses[0].Partitions[0];
            Assert.Equal((short)ErrorCode.NotLeaderOrFollower, answer.ErrorCode);
            Assert.Equal(named ? (3, 4) : (-1, -1), (answer.CurrentLeader.LeaderId, answer.CurrentLeader.LeaderEpoch));
            Assert.Equal(named ? ["3 three.example:9093 "] : [], response.NodeEndpoints.Select(n => $"{n.NodeId} {n.Host}:{n.Port} {n.Rack}"));
        }
    }

    [Fact]
    public async Task A_leader_that_moves_while_a_fetch_waits_ends_the_wait_with_the_new_leader()
    {
        (TestGateway gateway, TopicPicture topic, WireClient client) = await StartAsync();
        await using (gateway)
        using (client)
        {
            MemoryPartition partition = gateway.Engine.Partition(topic, 0);
            FetchRequest request = Requests.Fetch("t", [(0, 0)], minBytes: 1, maxWaitMs: 1_000_000);
            request.Topics[0].TopicId = topic.Id;
            await client.SendAsync(request, 16);
            await PipeliningTests.WaitUntil(() => partition.Watchers == 1);
            gateway.Engine.Lead(topic, 0, 2, 1);
            partition.Change();
            (_, FetchResponse response) = await client.ReceiveAsync<FetchResponse>(FetchRequest.Info, 16);
            FetchResponse.PartitionData answer = response.Responses[0].Partitions[0];
            Assert.Equal(((short)ErrorCode.NotLeaderOrFollower, 2, 1), (answer.ErrorCode, answer.CurrentLeader.LeaderId, answer.CurrentLeader.LeaderEpoch));
            Assert.Equal(0, partition.Watchers);
        }
    }

    [Fact]
    public async Task A_produce_to_a_partition_that_is_about_to_open_waits_and_keeps_its_place()
    {
        (TestGateway gateway, TopicPicture topic, WireClient client) = await StartAsync();
        await using (gateway)
        using (client)
        {
            TaskCompletionSource<PartitionLease> opening = gateway.Engine.Open(topic, 0);
            await client.SendAsync(Requests.Produce("t", 0, Requests.Batch(1)), 9);
            await client.SendAsync(Requests.Produce("t", 0, Requests.Batch(2)), 9);
            gateway.Engine.Opened(topic, 0);
            opening.SetResult(new PartitionLease(ErrorCode.None, gateway.Engine.Partition(topic, 0)));
            for (int i = 0; i < 2; i++)
            {
                (_, ProduceResponse response) = await client.ReceiveAsync<ProduceResponse>(ProduceRequest.Info, 9);
                Assert.Equal(((short)0, (long)i), (response.Responses[0].PartitionResponses[0].ErrorCode, response.Responses[0].PartitionResponses[0].BaseOffset));
            }
        }
    }

    [Fact]
    public async Task Behind_a_produce_that_was_refused_none_is_taken_that_its_client_had_sent_before_it_could_know()
    {
        (TestGateway gateway, TopicPicture topic, WireClient client) = await StartAsync(2);
        await using (gateway)
        using (client)
        {
            TaskCompletionSource<PartitionLease> opening = gateway.Engine.Open(topic, 0);
            int[] partitions = [0, 0, 1, 0];
            await client.SendBytesAsync(partitions.SelectMany(static (p, i) => WireClient.Frame(Requests.Produce("t", p, Requests.Batch(1)), 9, i)).ToArray());
            await PipeliningTests.WaitUntil(() => gateway.Engine.Waiting == 1);
            // It has waited in vain; and by the time the next one is looked at it serves.
            gateway.Engine.Opened(topic, 0);
            opening.SetResult(new PartitionLease(ErrorCode.NotLeaderOrFollower, null));
            const short refused = (short)ErrorCode.NotLeaderOrFollower;
            foreach (short expected in (short[])[refused, refused, 0, refused])
            {
                (_, ProduceResponse response) = await client.ReceiveAsync<ProduceResponse>(ProduceRequest.Info, 9);
                Assert.Equal(expected, response.Responses[0].PartitionResponses[0].ErrorCode);
            }
            Assert.Equal(0, gateway.Engine.Partition(topic, 0).HighWatermark);
            ProduceResponse again = await client.ProduceAsync(Requests.Produce("t", 0, Requests.Batch(1)), 9);
            Assert.Equal((short)0, again.Responses[0].PartitionResponses[0].ErrorCode);
        }
    }

    /// <summary>The first is under way with a leader that goes: what stands behind it is not put before it, whatever becomes of it.</summary>
    [Theory]
    [InlineData(false, true)]
    [InlineData(true, true)]
    [InlineData(true, false)]
    public async Task Behind_a_produce_whose_leader_goes_while_it_is_under_way_none_is_taken(bool waits, bool otherLeader)
    {
        (TestGateway gateway, TopicPicture topic, WireClient client) = await StartAsync();
        await using (gateway)
        using (client)
        {
            const short refused = (short)ErrorCode.NotLeaderOrFollower;
            gateway.Engine.HoldAppends = true;
            MemoryPartition first = gateway.Engine.Partition(topic, 0);
            await client.SendAsync(Requests.Produce("t", 0, Requests.Batch(1)), 9);
            await PipeliningTests.WaitUntil(() => first.HighWatermark == 1);
            gateway.Engine.HoldAppends = false;
            TaskCompletionSource<PartitionLease>? opening = waits ? gateway.Engine.Open(topic, 0) : null;
            if (otherLeader)
                gateway.Engine.Replace(topic, 0);
            MemoryPartition next = gateway.Engine.Partition(topic, 0);
            await client.SendAsync(Requests.Produce("t", 0, Requests.Batch(1)), 9);
            if (opening is not null)
            {
                await PipeliningTests.WaitUntil(() => gateway.Engine.Waiting == 1);
                gateway.Engine.Opened(topic, 0);
                opening.SetResult(new PartitionLease(ErrorCode.None, next));
            }
            await PipeliningTests.WaitUntil(() => gateway.Engine.Asked == 2);
            first.Release(ErrorCode.RequestTimedOut);
            foreach (short expected in (short[])[(short)ErrorCode.RequestTimedOut, refused])
            {
                (_, ProduceResponse response) = await client.ReceiveAsync<ProduceResponse>(ProduceRequest.Info, 9);
                Assert.Equal(expected, response.Responses[0].PartitionResponses[0].ErrorCode);
            }
            Assert.Equal(otherLeader ? 0 : 1, next.HighWatermark);
            // Once more at most: a request that is there before the connection has looked for it counts as sent before the answer.
            short again = (await client.ProduceAsync(Requests.Produce("t", 0, Requests.Batch(1)), 9)).Responses[0].PartitionResponses[0].ErrorCode;
            if (again == refused)
                again = (await client.ProduceAsync(Requests.Produce("t", 0, Requests.Batch(1)), 9)).Responses[0].PartitionResponses[0].ErrorCode;
            Assert.Equal((short)0, again);
        }
    }

    [Theory]
    [InlineData(20, 5000)]
    [InlineData(60_000, 20)]
    public async Task The_wait_for_an_opening_is_bounded_by_the_request_and_by_the_broker(int requestMs, int brokerMs)
    {
        (TestGateway gateway, TopicPicture topic, WireClient client) = await StartAsync(1, new GatewayOptions { MaxOpeningWaitMs = brokerMs });
        await using (gateway)
        using (client)
        {
            gateway.Engine.Open(topic, 0);
            ProduceResponse produced = await client.ProduceAsync(Requests.Produce("t", 0, Requests.Batch(1), timeoutMs: requestMs), 9);
            Assert.Equal((short)ErrorCode.NotLeaderOrFollower, produced.Responses[0].PartitionResponses[0].ErrorCode);
        }
    }

    [Fact]
    public async Task A_fetch_waits_for_a_partition_that_is_about_to_open_but_not_where_others_have_data()
    {
        (TestGateway gateway, TopicPicture topic, WireClient client) = await StartAsync(2);
        await using (gateway)
        using (client)
        {
            TaskCompletionSource<PartitionLease> opening = gateway.Engine.Open(topic, 0);
            await client.ProduceAsync(Requests.Produce("t", 1, Requests.Batch(1)), 9);
            FetchResponse both = await client.FetchAsync(Requests.Fetch("t", [(0, 0), (1, 0)], minBytes: 1, maxWaitMs: 1_000_000), 11);
            Assert.Equal([(short)ErrorCode.NotLeaderOrFollower, (short)0], both.Responses[0].Partitions.Select(p => p.ErrorCode));
            Assert.Equal(61, both.Responses[0].Partitions[1].Records!.Value.Length);

            // Alone it is waited for, though the request itself would not wait.
            await client.SendAsync(Requests.Fetch("t", [(0, 0)]), 11);
            gateway.Engine.Opened(topic, 0);
            opening.SetResult(new PartitionLease(ErrorCode.None, gateway.Engine.Partition(topic, 0)));
            (_, FetchResponse alone) = await client.ReceiveAsync<FetchResponse>(FetchRequest.Info, 11);
            Assert.Equal((short)0, alone.Responses[0].Partitions[0].ErrorCode);
        }
    }

    [Fact]
    public async Task Metadata_names_the_brokers_that_live_with_their_racks_and_the_leader_first_among_the_replicas()
    {
        (TestGateway gateway, TopicPicture topic, WireClient client) = await StartAsync(4);
        await using (gateway)
        using (client)
        {
            gateway.Engine.Lead(topic, 1, 3, 5);
            gateway.Engine.Lead(topic, 2, 9, 6);
            gateway.Engine.Lead(topic, 3, -1, 2);
            await client.SendAsync(Requests.Metadata("t"), 12);
            (_, MetadataResponse response) = await client.ReceiveAsync<MetadataResponse>(MetadataRequest.Info, 12);
            Assert.Equal(["1 127.0.0.1 ", "2 two.example rack-2", "3 three.example "], response.Brokers.Select(b => $"{b.NodeId} {b.Host} {b.Rack}"));
            MetadataResponse.MetadataResponsePartition[] partitions = [.. response.Topics[0].Partitions];
            Assert.Equal([(0, 1), (0, 3), ((int)ErrorCode.LeaderNotAvailable, -1), ((int)ErrorCode.LeaderNotAvailable, -1)], partitions.Select(p => ((int)p.ErrorCode, p.LeaderId)));
            Assert.Equal([0, 5, 6, 2], partitions.Select(p => p.LeaderEpoch));
            Assert.Equal([1, 2, 3], partitions[0].ReplicaNodes);
            Assert.Equal([3, 1, 2], partitions[1].ReplicaNodes);
            Assert.Equal([1, 2, 3], partitions[2].ReplicaNodes);
            Assert.All(partitions, p => Assert.Equal(p.ReplicaNodes, p.IsrNodes));

            await client.SendAsync(new DescribeTopicPartitionsRequest { Topics = [new() { Name = "t" }], ResponsePartitionLimit = 10 }, 0);
            (_, DescribeTopicPartitionsResponse described) = await client.ReceiveAsync<DescribeTopicPartitionsResponse>(DescribeTopicPartitionsRequest.Info, 0);
            Assert.Equal([1, 3, -1, -1], described.Topics[0].Partitions.Select(p => p.LeaderId));
            Assert.Equal([3, 1, 2], described.Topics[0].Partitions[1].ReplicaNodes);

            await client.SendAsync(new DescribeClusterRequest { EndpointType = 1 }, 1);
            (_, DescribeClusterResponse cluster) = await client.ReceiveAsync<DescribeClusterResponse>(DescribeClusterRequest.Info, 1);
            Assert.Equal(["1", "2 rack-2", "3"], cluster.Brokers.Select(b => $"{b.BrokerId} {b.Rack}".TrimEnd()));
        }
    }
}
