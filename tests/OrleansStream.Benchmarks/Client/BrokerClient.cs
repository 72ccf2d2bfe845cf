using OrleansStream.Protocol;
using OrleansStream.Protocol.Messages;

namespace OrleansStream.Benchmarks.Client;

/// <summary>A topic as a load needs it.</summary>
internal sealed record BenchTopic(string Name, Guid Id, int Partitions)
{
    /// <summary>Those that the load uses: all, or what one broker of several leads.</summary>
    public IReadOnlyList<int> Used { get; init; } = [.. Enumerable.Range(0, Partitions)];
}

/// <summary>Topics and versions of one broker that is alone in its cluster.</summary>
internal sealed class BrokerClient(string host, int port)
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    public string Host => host;
    public int Port => port;

    public BrokerConnection Connect(int receiveTimeoutMs = 0) => new(host, port, receiveTimeoutMs);

    /// <summary>The highest version of an API that the broker and we know, and that the load can use.</summary>
    public short Version<TRequest>(short highest) where TRequest : IMessage<TRequest>
    {
        using BrokerConnection connection = Connect();
        var response = connection.Call<ApiVersionsRequest, ApiVersionsResponse>(new() { ClientSoftwareName = "bench", ClientSoftwareVersion = "1" }, 3);
        MessageInfo info = TRequest.Info;
        ApiVersionsResponse.ApiVersion offered = response.ApiKeys.First(a => a.ApiKey == info.ApiKey);
        short version = Math.Min(Math.Min(offered.MaxVersion, info.HighestVersion), highest);
        return version >= offered.MinVersion ? version : throw new NotSupportedException($"No common version of {info.Name}.");
    }

    /// <summary>Whether consumer groups are served.</summary>
    public bool HasGroups()
    {
        using BrokerConnection connection = Connect();
        var response = connection.Call<ApiVersionsRequest, ApiVersionsResponse>(new() { ClientSoftwareName = "bench", ClientSoftwareVersion = "1" }, 3);
        return response.ApiKeys.Exists(a => a.ApiKey == JoinGroupRequest.Info.ApiKey);
    }

    /// <summary>Creates a topic and waits until all of its partitions have leaders.</summary>
    public BenchTopic CreateTopic(string name, int partitions, params (string Name, string Value)[] configs)
    {
        using BrokerConnection connection = Connect();
        var topic = new CreateTopicsRequest.CreatableTopic { Name = name, NumPartitions = partitions, ReplicationFactor = 1 };
        foreach ((string key, string value) in configs)
            topic.Configs.Add(new() { Name = key, Value = value });
        var created = connection.Call<CreateTopicsRequest, CreateTopicsResponse>(new() { Topics = { topic } }, 5);
        Check((ErrorCode)created.Topics[0].ErrorCode, $"creating {name}: {created.Topics[0].ErrorMessage}");

        // Kafka names a leader before that leader knows of it, so the partitions are asked themselves.
        DateTime end = DateTime.UtcNow + Patience;
        while (!IsServed(connection, name, partitions))
        {
            if (DateTime.UtcNow > end)
                throw new TimeoutException($"{name} has no leaders after {Patience}.");
            Thread.Sleep(50);
        }
        return Topic(name);
    }

    /// <summary>A topic that is there already.</summary>
    public BenchTopic Topic(string name)
    {
        using BrokerConnection connection = Connect();
        var request = new MetadataRequest { Topics = [new() { Name = name }], AllowAutoTopicCreation = false };
        MetadataResponse.MetadataResponseTopic found = connection.Call<MetadataRequest, MetadataResponse>(request, 12).Topics[0];
        Check((ErrorCode)found.ErrorCode, name);
        return new BenchTopic(name, found.TopicId, found.Partitions.Count);
    }

    public void DeleteTopic(string name)
    {
        using BrokerConnection connection = Connect();
        var deleted = connection.Call<DeleteTopicsRequest, DeleteTopicsResponse>(new() { TopicNames = { name }, TimeoutMs = 30_000 }, 5);
        Check((ErrorCode)deleted.Responses[0].ErrorCode, $"deleting {name}");
    }

    /// <summary>Where each partition ends; 0 for those that the load does not use.</summary>
    public long[] EndOffsets(BenchTopic topic)
    {
        using BrokerConnection connection = Connect();
        var ends = new long[topic.Partitions];
        foreach (var partition in LatestOffsets(connection, topic.Name, topic.Used))
        {
            Check((ErrorCode)partition.ErrorCode, $"end of {topic.Name}-{partition.PartitionIndex}");
            ends[partition.PartitionIndex] = partition.Offset;
        }
        return ends;
    }

    private static bool IsServed(BrokerConnection connection, string name, int partitions) =>
        LatestOffsets(connection, name, [.. Enumerable.Range(0, partitions)]) is var found && found.Count == partitions && found.TrueForAll(p => p.ErrorCode == 0);

    private static List<ListOffsetsResponse.ListOffsetsPartitionResponse> LatestOffsets(BrokerConnection connection, string name, IReadOnlyList<int> partitions)
    {
        var asked = new ListOffsetsRequest.ListOffsetsTopic { Name = name };
        foreach (int p in partitions)
            asked.Partitions.Add(new() { PartitionIndex = p, Timestamp = -1 });
        return connection.Call<ListOffsetsRequest, ListOffsetsResponse>(new() { ReplicaId = -1, Topics = { asked } }, 7).Topics[0].Partitions;
    }

    public static void Check(ErrorCode error, string where)
    {
        if (error != ErrorCode.None)
            throw new InvalidOperationException($"{error} at {where}");
    }
}
