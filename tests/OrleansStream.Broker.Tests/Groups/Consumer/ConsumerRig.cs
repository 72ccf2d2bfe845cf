using OrleansStream.Broker.Groups;
using OrleansStream.Protocol;
using OrleansStream.Protocol.Messages;

namespace OrleansStream.Broker.Tests.Groups.Consumer;

/// <summary>A <see cref="GroupRig"/> and members of the consumer protocol in a few words.</summary>
internal sealed class ConsumerRig : IAsyncDisposable
{
    private ConsumerRig(GroupRig rig) => Rig = rig;

    public GroupRig Rig { get; }

    public static async Task<ConsumerRig> StartAsync(params string[] more) => new(await GroupRig.StartAsync(["group.consumer.assignment.interval.ms=0", .. more]));

    public ValueTask DisposeAsync() => Rig.DisposeAsync();

    public void Advance(int milliseconds) => Rig.Advance(milliseconds);

    public Guid IdOf(string topic) => Rig.Engine.Cluster.TopicsByName[topic].Id;

    public async Task<ConsumerGroupHeartbeatResponse> SendAsync(ConsumerGroupHeartbeatRequest request, short version = 1) =>
        await Rig.Groups.HeartbeatAsync(GroupRig.Client(version), request);

    /// <summary>A request that joins; change what should be otherwise.</summary>
    public static ConsumerGroupHeartbeatRequest Joining(string member, params string[] topics) => new()
    {
        GroupId = "g", MemberId = member, MemberEpoch = 0, RebalanceTimeoutMs = 60_000, SubscribedTopicNames = [.. topics.Length > 0 ? topics : ["t"]], TopicPartitions = [],
    };

    public async Task<MemberClient> JoinAsync(string member, params string[] topics)
    {
        var client = new MemberClient(this, member);
        await client.JoinAsync(Joining(member, topics));
        return client;
    }

    public async Task<ConsumerGroupDescribeResponse.DescribedGroup> DescribeAsync(string group = "g") =>
        (await Rig.Groups.DescribeConsumersAsync([group]))[0];

    public async Task<string> StateAsync() => (await DescribeAsync()).GroupState;

    /// <summary>Members in turn send heartbeats until nobody is told anything new.</summary>
    public static async Task SettleAsync(params MemberClient[] members)
    {
        for (var round = 0; round < 10; round++)
        {
            foreach (var member in members)
                Assert.Equal(ErrorCode.None, await member.BeatAsync());
        }
        var owners = members.SelectMany(m => m.Owned).ToList();
        Assert.Equal(owners.Count, owners.Distinct().Count());
    }
}

/// <summary>A client: keeps its epoch, and owns what it was last told, giving up at once what it lost.</summary>
internal sealed class MemberClient(ConsumerRig rig, string id)
{
    public string Id => id;
    public int Epoch { get; private set; }
    public string? Instance { get; private set; }
    public List<(Guid Topic, int Partition)> Owned { get; private set; } = [];
    public ErrorCode LastError { get; private set; }
    public string? LastMessage { get; private set; }

    /// <summary>Its partitions, ascending; of one topic.</summary>
    public string Partitions => string.Join(",", Owned.Select(o => o.Partition).Order());

    public async Task<ErrorCode> JoinAsync(ConsumerGroupHeartbeatRequest request, short version = 1)
    {
        Instance = request.InstanceId;
        return Take(await rig.SendAsync(request, version));
    }

    public Task<ErrorCode> BeatAsync() => BeatAsync(_ => { });

    public async Task<ErrorCode> BeatAsync(Action<ConsumerGroupHeartbeatRequest> change)
    {
        var request = new ConsumerGroupHeartbeatRequest { GroupId = "g", MemberId = id, MemberEpoch = Epoch, InstanceId = Instance, TopicPartitions = [] };
        foreach (var topic in Owned.GroupBy(o => o.Topic))
            request.TopicPartitions.Add(new() { TopicId = topic.Key, Partitions = [.. topic.Select(t => t.Partition)] });
        change(request);
        return Take(await rig.SendAsync(request));
    }

    public async Task<ErrorCode> LeaveAsync(int epoch = -1) => (ErrorCode)(await rig.SendAsync(
        new ConsumerGroupHeartbeatRequest { GroupId = "g", MemberId = id, MemberEpoch = epoch, InstanceId = Instance })).ErrorCode;

    private ErrorCode Take(ConsumerGroupHeartbeatResponse response)
    {
        LastError = (ErrorCode)response.ErrorCode;
        LastMessage = response.ErrorMessage;
        if (response.ErrorCode == 0)
            Epoch = response.MemberEpoch;
        if (response.Assignment is { } assignment)
            Owned = [.. assignment.TopicPartitions.SelectMany(t => t.Partitions.Select(p => (t.TopicId, p)))];
        return LastError;
    }
}
