using OrleansStream.Broker.Partitions;
using OrleansStream.Broker.Topics;
using OrleansStream.Gateway.Tests.Fakes;
using OrleansStream.Protocol;
using OrleansStream.Protocol.Messages;

namespace OrleansStream.Gateway.Tests;

/// <summary>What the requests answer that only operators' tools send.</summary>
public sealed class AdminHandlerTests
{
    [Fact]
    public async Task DescribeProducers_answers_each_partition_by_itself()
    {
        await using TestGateway gateway = await TestGateway.StartAsync();
        TopicPicture topic = gateway.Engine.AddTopic("t", 2);
        gateway.Engine.Partition(topic, 0).Producers = new(ErrorCode.None, [new ActiveProducer(7, 3, 42, 1000)]);
        gateway.Engine.Partition(topic, 1).Producers = new(ErrorCode.NotLeaderOrFollower, []);
        using WireClient client = await WireClient.ConnectAsync(gateway);
        var request = new DescribeProducersRequest
        {
            Topics = [new() { Name = "t", PartitionIndexes = [0, 1, 2] }, new() { Name = "nope", PartitionIndexes = [0] }, new() { Name = "no good", PartitionIndexes = [0] }],
        };
        DescribeProducersResponse response = await client.AskAsync<DescribeProducersRequest, DescribeProducersResponse>(request, 0);
        Assert.Equal(
            [ErrorCode.None, ErrorCode.NotLeaderOrFollower, ErrorCode.UnknownTopicOrPartition, ErrorCode.UnknownTopicOrPartition, ErrorCode.InvalidTopicException],
            response.Topics.SelectMany(t => t.Partitions).Select(p => (ErrorCode)p.ErrorCode));
        DescribeProducersResponse.ProducerState producer = response.Topics[0].Partitions[0].ActiveProducers.Single();
        Assert.Equal(
            (7, 3, 42, 1000, -1, -1),
            (producer.ProducerId, producer.ProducerEpoch, producer.LastSequence, producer.LastTimestamp, producer.CoordinatorEpoch, producer.CurrentTxnStartOffset));
    }

    [Fact]
    public async Task ListConfigResources_names_what_is_configured()
    {
        await using TestGateway gateway = await TestGateway.StartAsync();
        gateway.Engine.AddTopic("t");
        gateway.Engine.Configured[ConfigResourceType.Group] = ["g"];
        gateway.Engine.Configured[ConfigResourceType.ClientMetrics] = ["m"];
        using WireClient client = await WireClient.ConnectAsync(gateway);
        async Task<string> Ask(short version, params sbyte[] types)
        {
            var request = new ListConfigResourcesRequest { ResourceTypes = types };
            ListConfigResourcesResponse response = await client.AskAsync<ListConfigResourcesRequest, ListConfigResourcesResponse>(request, version);
            return $"{(ErrorCode)response.ErrorCode} {string.Join(' ', response.ConfigResources.Select(r => $"{r.ResourceType}:{r.ResourceName}"))}";
        }
        Assert.Equal("None 16:m", await Ask(0));
        Assert.Equal("None 32:g 2:t", await Ask(1, 32, 2, 32));
        Assert.Equal("None 2:t 4:1 8:1 16:m 32:g", await Ask(1));
        Assert.Equal("UnsupportedVersion ", await Ask(1, 2, 3));
    }

    [Fact]
    public async Task ElectLeaders_finds_every_leader_in_its_place()
    {
        await using TestGateway gateway = await TestGateway.StartAsync();
        gateway.Engine.AddTopic("led", 2);
        gateway.Engine.AddTopic("lost", leaderId: -1);
        using WireClient client = await WireClient.ConnectAsync(gateway);
        Task<ElectLeadersResponse> Ask(ElectLeadersRequest request, short version) => client.AskAsync<ElectLeadersRequest, ElectLeadersResponse>(request, version);
        ElectLeadersRequest some = new()
        {
            TopicPartitions = [new() { Topic = "led", Partitions = [1, 2] }, new() { Topic = "lost", Partitions = [0] }, new() { Topic = "nope", Partitions = [0] }],
        };
        ElectLeadersResponse named = await Ask(some, 0);
        Assert.Equal(
            [ErrorCode.ElectionNotNeeded, ErrorCode.UnknownTopicOrPartition, ErrorCode.PreferredLeaderNotAvailable, ErrorCode.UnknownTopicOrPartition],
            named.ReplicaElectionResults.SelectMany(r => r.PartitionResult).Select(p => (ErrorCode)p.ErrorCode));

        some.ElectionType = 1;
        Assert.Equal((short)ErrorCode.EligibleLeadersNotAvailable, (await Ask(some, 2)).ReplicaElectionResults[1].PartitionResult[0].ErrorCode);
        some.ElectionType = 2;
        ElectLeadersResponse refused = await Ask(some, 2);
        Assert.Equal((short)ErrorCode.InvalidRequest, refused.ErrorCode);
        Assert.All(refused.ReplicaElectionResults.SelectMany(r => r.PartitionResult), p => Assert.Equal((short)ErrorCode.InvalidRequest, p.ErrorCode));

        ElectLeadersResponse all = await Ask(new() { TopicPartitions = null }, 2);
        Assert.Equal(
            [("led", 0), ("lost", 1)],
            all.ReplicaElectionResults.OrderBy(r => r.Topic, StringComparer.Ordinal).Select(r => (r.Topic, r.PartitionResult.Count)));
    }

    [Fact]
    public async Task A_partition_is_in_the_one_log_directory()
    {
        await using TestGateway gateway = await TestGateway.StartAsync(new GatewayOptions { LogDirectory = "/here" });
        gateway.Engine.AddTopic("t");
        using WireClient client = await WireClient.ConnectAsync(gateway);
        async Task<string> Ask(string path, short version)
        {
            var request = new AlterReplicaLogDirsRequest
            {
                Dirs = [new() { Path = path, Topics = [new() { Name = "t", Partitions = [0, 1] }, new() { Name = "u", Partitions = [0] }] }],
            };
            AlterReplicaLogDirsResponse response = await client.AskAsync<AlterReplicaLogDirsRequest, AlterReplicaLogDirsResponse>(request, version);
            return string.Join(' ', response.Results.SelectMany(r => r.Partitions.Select(p => $"{r.TopicName}-{p.PartitionIndex}:{(ErrorCode)p.ErrorCode}")));
        }
        Assert.Equal("t-0:None t-1:UnknownTopicOrPartition u-0:UnknownTopicOrPartition", await Ask("/here", 1));
        Assert.Equal("t-0:LogDirNotFound t-1:LogDirNotFound u-0:LogDirNotFound", await Ask("/there", 2));
    }

    [Theory]
    [InlineData("t", 0, new[] { 1 }, ErrorCode.None)]
    [InlineData("t", 0, null, ErrorCode.NoReassignmentInProgress)]
    [InlineData("t", 0, new int[0], ErrorCode.InvalidReplicaAssignment)]
    [InlineData("t", 0, new[] { 2 }, ErrorCode.InvalidReplicaAssignment)]
    [InlineData("t", 0, new[] { 1, 1 }, ErrorCode.InvalidReplicaAssignment)]
    [InlineData("t", 1, new[] { 1 }, ErrorCode.UnknownTopicOrPartition)]
    [InlineData("u", 0, new[] { 1 }, ErrorCode.UnknownTopicOrPartition)]
    public async Task A_partition_is_only_assigned_to_where_it_is(string topic, int partition, int[]? replicas, ErrorCode expected)
    {
        await using TestGateway gateway = await TestGateway.StartAsync();
        gateway.Engine.AddTopic("t");
        using WireClient client = await WireClient.ConnectAsync(gateway);
        var request = new AlterPartitionReassignmentsRequest
        {
            Topics = [new() { Name = topic, Partitions = [new() { PartitionIndex = partition, Replicas = replicas }] }],
        };
        for (short version = 0; version <= 1; version++)
        {
            var response = await client.AskAsync<AlterPartitionReassignmentsRequest, AlterPartitionReassignmentsResponse>(request, version);
            Assert.Equal((0, (short)expected), (response.ErrorCode, response.Responses[0].Partitions[0].ErrorCode));
        }
        var listed = await client.AskAsync<ListPartitionReassignmentsRequest, ListPartitionReassignmentsResponse>(new() { Topics = null }, 0);
        Assert.Equal((0, 0), (listed.ErrorCode, listed.Topics.Count));
    }
}
