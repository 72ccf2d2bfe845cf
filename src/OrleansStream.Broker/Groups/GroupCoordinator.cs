using System.Collections.Immutable;
using OrleansStream.Broker.Configuration;
using OrleansStream.Broker.Engine;
using OrleansStream.Broker.Groups.Consumer;
using OrleansStream.Broker.Groups.Runtime;
using OrleansStream.Broker.Groups.Snapshots;
using OrleansStream.Broker.Partitions;
using OrleansStream.Broker.Topics;
using OrleansStream.Protocol;
using OrleansStream.Protocol.Messages;
using OrleansStream.Storage.Ports;

namespace OrleansStream.Broker.Groups;

/// <summary>
/// Leads every request to the shard of its group: the partition of __consumer_offsets that Kafka's formula picks. A shard is made, and loads, when it is
/// first asked for under a leader epoch; a partition that was taken again is another object, and its shard another one.
/// </summary>
/// <param name="groupConfigs">What a group sets itself, by its id (configurations of type GROUP).</param>
/// <param name="snapshots">Null: none are taken, and loading reads the whole log.</param>
internal sealed class GroupCoordinator(
    RuntimePorts ports, IEngine engine, Func<BrokerSettings> settings, Func<string, ImmutableDictionary<string, string>> groupConfigs, SnapshotStore? snapshots)
    : IGroupCoordinator
{
    public const string OffsetsTopic = "__consumer_offsets";

    /// <summary>
    /// For so long a request waits for the loading of its group, before the client is told to ask again: less than clients wait whose groups beat every half second.
    /// </summary>
    private static readonly TimeSpan LoadPatience = TimeSpan.FromMilliseconds(500);

    private readonly Lock _lock = new();
    private readonly Dictionary<int, GroupShard> _shards = [];
    private (BrokerSettings? Broker, GroupSettings Groups) _settings = (null, new GroupSettings());
    private bool _stopped;

    /// <summary>Java's String.hashCode, made positive as Kafka does: the partition of a group, in every broker and client the same.</summary>
    internal static int PartitionOf(string groupId, int partitions)
    {
        var hash = 0;
        foreach (var unit in groupId)
            hash = unchecked((31 * hash) + unit);
        return (hash == int.MinValue ? 0 : Math.Abs(hash)) % partitions;
    }

    private GroupSettings Settings
    {
        get
        {
            var broker = settings();
            lock (_lock)
            {
                if (!ReferenceEquals(_settings.Broker, broker))
                    _settings = (broker, GroupSettings.From(broker.Layers));
                return _settings.Groups;
            }
        }
    }

    public async ValueTask<CoordinatorLookup> FindAsync(string groupId, ITopicAdmin topics, CancellationToken cancel)
    {
        if (!engine.Cluster.TopicsByName.TryGetValue(OffsetsTopic, out var topic))
        {
            var made = await topics.AutoCreateAsync(OffsetsTopic, cancel);
            if (made.Error.Failed || !engine.Cluster.TopicsByName.TryGetValue(OffsetsTopic, out topic))
                return new CoordinatorLookup(ErrorCode.CoordinatorNotAvailable, -1, made.Error.Message);
        }
        var leader = topic.Partitions[PartitionOf(groupId, topic.Partitions.Count)].LeaderId;
        return leader < 0 ? new CoordinatorLookup(ErrorCode.CoordinatorNotAvailable, -1) : new CoordinatorLookup(ErrorCode.None, leader);
    }

    public async ValueTask<Task<OffsetCommitResponse>> BeginCommitAsync(GroupClient client, OffsetCommitRequest request)
    {
        var (error, shard) = await ShardOfAsync(request.GroupId);
        return error == ErrorCode.None ? CommitAsync() : Task.FromResult(GroupErrors.Of(request, error));

        async Task<OffsetCommitResponse> CommitAsync()
        {
            var result = await shard!.AskAsync(() => shard.Offsets.Commit(client, request));
            return result.Value ?? GroupErrors.Of(request, result.Error);
        }
    }

    public async ValueTask<OffsetFetchResponse.OffsetFetchResponseGroup> FetchOffsetsAsync(
        OffsetFetchRequest.OffsetFetchRequestGroup group, bool requireStable)
    {
        var result = await AskAsync<OffsetFetchResponse.OffsetFetchResponseGroup>(group.GroupId, (shard, reply) => reply.Answer(shard.Offsets.Fetch(group)));
        return result.Value ?? new() { GroupId = group.GroupId, ErrorCode = (short)result.Error };
    }

    public async ValueTask<OffsetDeleteResponse> DeleteOffsetsAsync(OffsetDeleteRequest request)
    {
        if (request.GroupId.Length == 0)
            return new OffsetDeleteResponse { ErrorCode = (short)ErrorCode.InvalidGroupId };
        var result = await AskAsync<OffsetDeleteResponse>(request.GroupId, (shard, reply) => reply.Answer(shard.Offsets.Delete(request)));
        return result.Value ?? new() { ErrorCode = (short)result.Error };
    }

    public async ValueTask<JoinGroupResponse> JoinAsync(GroupClient client, JoinGroupRequest request)
    {
        var error = ErrorCode.None;
        if (request.GroupId.Length == 0)
            error = ErrorCode.InvalidGroupId;
        else if (request.SessionTimeoutMs < Settings.MinSessionTimeoutMs || request.SessionTimeoutMs > Settings.MaxSessionTimeoutMs)
            error = ErrorCode.InvalidSessionTimeout;
        if (error != ErrorCode.None)
            return GroupErrors.Of(request, error);
        var result = await AskAsync<JoinGroupResponse>(request.GroupId, (shard, reply) => shard.Classic.Joins.Join(client, request, reply));
        return result.Value ?? GroupErrors.Of(request, result.Error);
    }

    public async ValueTask<SyncGroupResponse> SyncAsync(GroupClient client, SyncGroupRequest request)
    {
        if (request.GroupId.Length == 0)
            return new SyncGroupResponse { ErrorCode = (short)ErrorCode.InvalidGroupId };
        var result = await AskAsync<SyncGroupResponse>(request.GroupId, (shard, reply) => shard.Classic.Sync(request, reply));
        return result.Value ?? new() { ErrorCode = (short)result.Error };
    }

    public async ValueTask<HeartbeatResponse> HeartbeatAsync(GroupClient client, HeartbeatRequest request)
    {
        if (request.GroupId.Length == 0)
            return new HeartbeatResponse { ErrorCode = (short)ErrorCode.InvalidGroupId };
        var result = await AskAsync<HeartbeatResponse>(request.GroupId, (shard, reply) => reply.Answer(shard.Classic.Heartbeat(request)));
        // While the group loads, its members are in it: their sessions begin anew when it is there.
        return result.Value ?? new() { ErrorCode = (short)(result.Error == ErrorCode.CoordinatorLoadInProgress ? ErrorCode.None : result.Error) };
    }

    public async ValueTask<LeaveGroupResponse> LeaveAsync(GroupClient client, LeaveGroupRequest request)
    {
        if (request.GroupId.Length == 0)
            return new LeaveGroupResponse { ErrorCode = (short)ErrorCode.InvalidGroupId };
        var result = await AskAsync<LeaveGroupResponse>(request.GroupId, (shard, reply) => reply.Answer(shard.Classic.Leave(request)));
        return result.Value ?? new() { ErrorCode = (short)result.Error };
    }

    public async ValueTask<ConsumerGroupHeartbeatResponse> HeartbeatAsync(GroupClient client, ConsumerGroupHeartbeatRequest request)
    {
        if (!Settings.Consumer.Enabled)
            return new ConsumerGroupHeartbeatResponse { ErrorCode = (short)ErrorCode.UnsupportedVersion };
        if (HeartbeatRules.Check(request, client.Version, Settings.Consumer.Assignors) is (var error, var sentence))
            return new ConsumerGroupHeartbeatResponse { ErrorCode = (short)error, ErrorMessage = sentence };
        var result = await AskAsync<ConsumerGroupHeartbeatResponse>(
            request.GroupId, (shard, reply) => reply.Answer(shard.Consumers.Heartbeat(client, request)));
        return result.Value ?? new() { ErrorCode = (short)result.Error, ErrorMessage = result.Message };
    }

    public async ValueTask<IReadOnlyList<ConsumerGroupDescribeResponse.DescribedGroup>> DescribeConsumersAsync(IReadOnlyList<string> groups)
    {
        List<ConsumerGroupDescribeResponse.DescribedGroup> described = [];
        foreach (var id in groups)
        {
            if (id.Length == 0 || !Settings.Consumer.Enabled)
            {
                described.Add(new() { GroupId = id, ErrorCode = (short)(id.Length == 0 ? ErrorCode.InvalidGroupId : ErrorCode.UnsupportedVersion) });
                continue;
            }
            var result = await AskAsync<ConsumerGroupDescribeResponse.DescribedGroup>(id, (shard, reply) => reply.Answer(shard.Consumers.Describe(id)));
            described.Add(result.Value ?? new() { GroupId = id, ErrorCode = (short)result.Error, ErrorMessage = result.Message });
        }
        return described;
    }

    public async ValueTask<ListGroupsResponse> ListAsync(ListGroupsRequest request, CancellationToken cancel)
    {
        var response = new ListGroupsResponse();
        if (!engine.Cluster.TopicsByName.TryGetValue(OffsetsTopic, out var topic))
            return response;
        // All begin to load before the first is waited for.
        var shards = Enumerable.Range(0, topic.Partitions.Count)
            .Where(p => topic.Partitions[p].LeaderId == settings().NodeId).Select(p => ShardAsync(topic, p).AsTask()).ToList();
        foreach (var finding in shards)
        {
            var (error, shard) = await finding;
            if (error == ErrorCode.None)
            {
                var listed = await shard!.AskAsync(() => shard.Admin.List(request.StatesFilter, request.TypesFilter));
                error = listed.Error;
                response.Groups.AddRange(listed.Value ?? []);
            }
            // What another broker has begun to lead, it lists.
            if (error is not (ErrorCode.None or ErrorCode.NotCoordinator))
                return new ListGroupsResponse { ErrorCode = (short)error };
        }
        return response;
    }

    public async ValueTask<IReadOnlyList<DescribeGroupsResponse.DescribedGroup>> DescribeAsync(GroupClient client, IReadOnlyList<string> groups)
    {
        List<DescribeGroupsResponse.DescribedGroup> described = [];
        foreach (var id in groups)
        {
            var result = await AskAsync<DescribeGroupsResponse.DescribedGroup>(id, (shard, reply) => reply.Answer(shard.Admin.Describe(client, id)));
            described.Add(result.Value ?? new() { GroupId = id, ErrorCode = (short)result.Error });
        }
        return described;
    }

    public async ValueTask<IReadOnlyList<DeleteGroupsResponse.DeletableGroupResult>> DeleteAsync(IReadOnlyList<string> groups)
    {
        List<DeleteGroupsResponse.DeletableGroupResult> deleted = [];
        foreach (var id in groups.Distinct(StringComparer.Ordinal))
        {
            var result = await AskAsync<DeleteGroupsResponse.DeletableGroupResult>(id, (shard, reply) => reply.Answer(shard.Admin.Delete(id)));
            deleted.Add(result.Value ?? new() { GroupId = id, ErrorCode = (short)result.Error });
        }
        return deleted;
    }

    /// <summary>A topic is gone: so is what was committed for it, in every group that is loaded here.</summary>
    public void TopicDeleted(string name)
    {
        foreach (var shard in Shards())
            shard.Post(() => shard.Offsets.TopicDeleted(name));
    }

    /// <summary>No group is served any more; who waits is told to look elsewhere.</summary>
    public void Stop()
    {
        lock (_lock)
            _stopped = true;
        foreach (var shard in Shards())
            shard.End(ErrorCode.NotCoordinator);
    }

    private List<GroupShard> Shards()
    {
        lock (_lock)
            return [.. _shards.Values];
    }

    /// <summary>Takes a turn of the group's shard; what the handler answers or throws comes back once it rests on what is durable.</summary>
    internal ValueTask<GroupResult<T>> AskAsync<T>(string groupId, Action<GroupShard, Reply<T>> handler) => AskAsync(ShardOfAsync(groupId), handler);

    /// <summary>The same for a partition of __consumer_offsets.</summary>
    internal ValueTask<GroupResult<T>> AskPartitionAsync<T>(int index, Action<GroupShard, Reply<T>> handler) => AskAsync(
        engine.Cluster.TopicsByName.TryGetValue(OffsetsTopic, out var topic) ? ShardAsync(topic, index) : new((ErrorCode.NotCoordinator, null)), handler);

    private static async ValueTask<GroupResult<T>> AskAsync<T>(ValueTask<(ErrorCode Error, GroupShard? Shard)> finding, Action<GroupShard, Reply<T>> handler)
    {
        var (error, shard) = await finding;
        return error == ErrorCode.None ? await shard!.AskAsync<T>(reply => handler(shard, reply)) : new GroupResult<T>(error, default);
    }

    private ValueTask<(ErrorCode Error, GroupShard? Shard)> ShardOfAsync(string groupId) => engine.Cluster.TopicsByName.TryGetValue(OffsetsTopic, out var topic)
        ? ShardAsync(topic, PartitionOf(groupId, topic.Partitions.Count))
        : new((ErrorCode.NotCoordinator, null));

    /// <summary>The shard of a partition, loaded; otherwise the error for the client.</summary>
    private async ValueTask<(ErrorCode Error, GroupShard? Shard)> ShardAsync(TopicPicture topic, int index)
    {
        GroupShard? shard;
        lock (_lock)
            _shards.TryGetValue(index, out shard);
        if (shard is not null && shard.Partition.Id.TopicId == topic.Id && shard.Serving)
            return (ErrorCode.None, shard);
        if (topic.Partitions[index].LeaderId != settings().NodeId)
            return (ErrorCode.NotCoordinator, null);
        var lease = await engine.GetPartitionAsync(topic, index, CancellationToken.None);
        if (lease.Partition is not { } partition || !partition.Leads)
            return (lease.Error is ErrorCode.None or ErrorCode.NotLeaderOrFollower ? ErrorCode.NotCoordinator : ErrorCode.CoordinatorNotAvailable, null);
        if (ShardOf(topic, index, partition) is not { } found)
            return (ErrorCode.CoordinatorNotAvailable, null);
        try
        {
            return (await found.Loaded.Inline().WaitAsync(LoadPatience, ports.Time), found);
        }
        catch (TimeoutException)
        {
            return (ErrorCode.CoordinatorLoadInProgress, null);
        }
    }

    private GroupShard? ShardOf(TopicPicture topic, int index, IPartition partition)
    {
        GroupShard? before;
        GroupShard shard;
        lock (_lock)
        {
            if (_stopped)
                return null;
            if (_shards.TryGetValue(index, out before) && ReferenceEquals(before.Partition, partition))
                return before;
            var environment = new GroupEnvironment(() => Settings, () => engine.Cluster, groupConfigs);
            _shards[index] = shard = new GroupShard(ports, partition, topic.Config.MaxMessageBytes, environment, snapshots, Ended);
        }
        before?.End(ErrorCode.NotCoordinator);
        shard.Start();
        return shard;

        void Ended(GroupShard ended)
        {
            lock (_lock)
            {
                if (_shards.GetValueOrDefault(index) == ended)
                    _shards.Remove(index);
            }
        }
    }
}
