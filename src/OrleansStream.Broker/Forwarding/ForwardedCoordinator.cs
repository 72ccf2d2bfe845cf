using System.Collections.Concurrent;
using OrleansStream.Broker.Engine;
using OrleansStream.Broker.Groups;
using OrleansStream.Broker.Topics;
using OrleansStream.Protocol;
using OrleansStream.Protocol.Messages;
using OrleansStream.Storage;
using OrleansStream.Storage.Ports;

namespace OrleansStream.Broker.Forwarding;

/// <summary>
/// The coordinator of every group: those whose partition of __consumer_offsets is led here are asked here, all others where theirs is led. A broker that does
/// not answer is COORDINATOR_NOT_AVAILABLE, which clients retry.
/// </summary>
internal sealed class ForwardedCoordinator(BrokerEngine engine, IPeers peers, RuntimePorts ports) : IGroupCoordinator
{
    /// <summary>For so long a request waits for its group's partition to have a leader.</summary>
    private static readonly TimeSpan LeaderAtMost = TimeSpan.FromSeconds(5);

    private readonly ConcurrentDictionary<int, CallSequence> _commits = new();

    private IGroupCoordinator Own => engine.Groups;

    public async ValueTask<CoordinatorLookup> FindAsync(string groupId, ITopicAdmin topics, CancellationToken cancel)
    {
        var found = await Own.FindAsync(groupId, topics, cancel);
        // Whoever leads the partition by then: the one address serves it.
        var exists = engine.Cluster.TopicsByName.ContainsKey(GroupCoordinator.OffsetsTopic);
        return found.Error == ErrorCode.None || exists ? new CoordinatorLookup(ErrorCode.None, OneAddress.NodeId) : found;
    }

    public async ValueTask<Task<OffsetCommitResponse>> BeginCommitAsync(GroupClient client, OffsetCommitRequest request)
    {
        var leader = await LeaderOfAsync(request.GroupId);
        if (leader == engine.Me.NodeId)
            return await Own.BeginCommitAsync(client, request);
        if (leader < 0)
            return Task.FromResult(GroupErrors.Of(request, ErrorCode.CoordinatorNotAvailable));
        var commits = _commits.GetOrAdd(leader, static (_, random) => new CallSequence(random.NextGuid()), ports.Random);
        var version = GroupMessages.VersionOf<OffsetCommitRequest>();
        var message = GroupMessages.Write(request, version);
        lock (commits.Sync)
        {
            return commits.TryBegin(out var order)
                ? CommitAsync(commits, peers.Of(leader).AskGroupAsync(
                    new GroupCall(ApiKey.OffsetCommit, engine.Assignment.Version, client, order, message, GroupMessages.IdsOf(request))), request)
                : Task.FromResult(GroupErrors.Of(request, ErrorCode.CoordinatorNotAvailable));
        }
    }

    private static async Task<OffsetCommitResponse> CommitAsync(CallSequence commits, Task<ReadOnlyMemory<byte>> call, OffsetCommitRequest request)
    {
        try
        {
            var response = GroupMessages.Read<OffsetCommitResponse>(await call, GroupMessages.VersionOf<OffsetCommitRequest>());
            GroupMessages.SetIds(response, request);
            commits.End(lost: false);
            return response;
        }
        catch (PeerLostException)
        {
            commits.End(lost: true);
            return GroupErrors.Of(request, ErrorCode.CoordinatorNotAvailable);
        }
    }

    public async ValueTask<OffsetFetchResponse.OffsetFetchResponseGroup> FetchOffsetsAsync(
        OffsetFetchRequest.OffsetFetchRequestGroup group, bool requireStable)
    {
        var leader = await LeaderOfAsync(group.GroupId);
        if (leader == engine.Me.NodeId)
            return await Own.FetchOffsetsAsync(group, requireStable);
        var request = new OffsetFetchRequest { RequireStable = requireStable };
        request.Groups.Add(group);
        if (await AskAsync<OffsetFetchRequest, OffsetFetchResponse>(leader, ApiKey.OffsetFetch, default, request, GroupMessages.IdsOf(group)) is not { } response)
            return new() { GroupId = group.GroupId, ErrorCode = (short)ErrorCode.CoordinatorNotAvailable };
        GroupMessages.SetIds(response.Groups[0], group);
        return response.Groups[0];
    }

    public ValueTask<OffsetDeleteResponse> DeleteOffsetsAsync(OffsetDeleteRequest request) => OneAsync(
        request.GroupId, ApiKey.OffsetDelete, default, request, (_, own) => Own.DeleteOffsetsAsync(own), static (_, code) => new() { ErrorCode = (short)code });

    public ValueTask<JoinGroupResponse> JoinAsync(GroupClient client, JoinGroupRequest request) => OneAsync(
        request.GroupId, ApiKey.JoinGroup, client, request, Own.JoinAsync, GroupErrors.Of);

    public ValueTask<SyncGroupResponse> SyncAsync(GroupClient client, SyncGroupRequest request) => OneAsync(
        request.GroupId, ApiKey.SyncGroup, client, request, Own.SyncAsync, static (_, code) => new() { ErrorCode = (short)code });

    public ValueTask<HeartbeatResponse> HeartbeatAsync(GroupClient client, HeartbeatRequest request) => OneAsync(
        request.GroupId, ApiKey.Heartbeat, client, request, Own.HeartbeatAsync, static (_, code) => new() { ErrorCode = (short)code });

    public ValueTask<LeaveGroupResponse> LeaveAsync(GroupClient client, LeaveGroupRequest request) => OneAsync(
        request.GroupId, ApiKey.LeaveGroup, client, request, Own.LeaveAsync, static (_, code) => new() { ErrorCode = (short)code });

    public ValueTask<ConsumerGroupHeartbeatResponse> HeartbeatAsync(GroupClient client, ConsumerGroupHeartbeatRequest request) => OneAsync(
        request.GroupId, ApiKey.ConsumerGroupHeartbeat, client, request, Own.HeartbeatAsync, static (_, code) => new() { ErrorCode = (short)code });

    public ValueTask<IReadOnlyList<ConsumerGroupDescribeResponse.DescribedGroup>> DescribeConsumersAsync(IReadOnlyList<string> groups) => EachAsync(
        groups, static g => g.GroupId, Own.DescribeConsumersAsync,
        async (leader, ids) =>
        {
            var request = new ConsumerGroupDescribeRequest();
            request.GroupIds.AddRange(ids);
            var response = await AskAsync<ConsumerGroupDescribeRequest, ConsumerGroupDescribeResponse>(leader, ApiKey.ConsumerGroupDescribe, default, request);
            return response?.Groups;
        },
        static id => new() { GroupId = id, ErrorCode = (short)ErrorCode.CoordinatorNotAvailable });

    public ValueTask<IReadOnlyList<DescribeGroupsResponse.DescribedGroup>> DescribeAsync(GroupClient client, IReadOnlyList<string> groups) => EachAsync(
        groups, static g => g.GroupId, own => Own.DescribeAsync(client, own),
        async (leader, ids) =>
        {
            var request = new DescribeGroupsRequest();
            request.Groups.AddRange(ids);
            return (await AskAsync<DescribeGroupsRequest, DescribeGroupsResponse>(leader, ApiKey.DescribeGroups, client, request))?.Groups;
        },
        static id => new() { GroupId = id, ErrorCode = (short)ErrorCode.CoordinatorNotAvailable });

    public ValueTask<IReadOnlyList<DeleteGroupsResponse.DeletableGroupResult>> DeleteAsync(IReadOnlyList<string> groups) => EachAsync(
        [.. groups.Distinct(StringComparer.Ordinal)], static g => g.GroupId, Own.DeleteAsync,
        async (leader, ids) =>
        {
            var request = new DeleteGroupsRequest();
            request.GroupsNames.AddRange(ids);
            return (await AskAsync<DeleteGroupsRequest, DeleteGroupsResponse>(leader, ApiKey.DeleteGroups, default, request))?.Results;
        },
        static id => new() { GroupId = id, ErrorCode = (short)ErrorCode.CoordinatorNotAvailable });

    /// <summary>The groups of all brokers. One that does not answer fails the request: a list with a gap would look whole.</summary>
    public async ValueTask<ListGroupsResponse> ListAsync(ListGroupsRequest request, CancellationToken cancel)
    {
        var others = engine.Assignment.Brokers.Where(b => b.NodeId != engine.Me.NodeId)
            .Select(b => AskAsync<ListGroupsRequest, ListGroupsResponse>(b.NodeId, ApiKey.ListGroups, default, request).AsTask()).ToList();
        var all = await Own.ListAsync(request, cancel);
        foreach (var asked in others)
        {
            var answer = await asked ?? new() { ErrorCode = (short)ErrorCode.CoordinatorNotAvailable };
            if (all.ErrorCode == 0 && answer.ErrorCode != 0)
                all = answer;
            else if (all.ErrorCode == 0)
                all.Groups.AddRange(answer.Groups.Where(g => !all.Groups.Exists(known => known.GroupId == g.GroupId)));
        }
        return all;
    }

    /// <summary>Asks for one group, here or at its coordinator.</summary>
    private async ValueTask<TResponse> OneAsync<TRequest, TResponse>(
        string groupId, ApiKey api, GroupClient client, TRequest request,
        Func<GroupClient, TRequest, ValueTask<TResponse>> own, Func<TRequest, ErrorCode, TResponse> failed)
        where TRequest : IMessage<TRequest>
        where TResponse : class, IMessage<TResponse>
    {
        var leader = await LeaderOfAsync(groupId);
        return leader == engine.Me.NodeId ? await own(client, request)
            : await AskAsync<TRequest, TResponse>(leader, api, client, request) ?? failed(request, ErrorCode.CoordinatorNotAvailable);
    }

    /// <summary>Asks for several groups, each at its coordinator, all of one in one call; the answers are in the order of the question.</summary>
    private async ValueTask<IReadOnlyList<T>> EachAsync<T>(
        IReadOnlyList<string> groups, Func<T, string> idOf, Func<IReadOnlyList<string>, ValueTask<IReadOnlyList<T>>> own,
        Func<int, IReadOnlyList<string>, Task<List<T>?>> ask, Func<string, T> failed)
    {
        Dictionary<int, List<string>> byLeader = [];
        foreach (var id in groups)
        {
            var leader = await LeaderOfAsync(id);
            if (!byLeader.TryGetValue(leader, out var there))
                byLeader[leader] = there = [];
            there.Add(id);
        }
        var asked = byLeader.Where(g => g.Key != engine.Me.NodeId).Select(async g => (Ids: g.Value, Answer: await ask(g.Key, g.Value))).ToList();
        Dictionary<string, T> answers = new(StringComparer.Ordinal);
        if (byLeader.TryGetValue(engine.Me.NodeId, out var mine))
        {
            foreach (var answer in await own(mine))
                answers[idOf(answer)] = answer;
        }
        foreach (var answer in asked)
        {
            foreach (var one in (await answer).Answer ?? [])
                answers[idOf(one)] = one;
        }
        return [.. groups.Select(id => answers.TryGetValue(id, out var answer) ? answer : failed(id))];
    }

    /// <summary>Null where the broker did not answer, or there is none to ask.</summary>
    private async ValueTask<TResponse?> AskAsync<TRequest, TResponse>(
        int leader, ApiKey api, GroupClient client, TRequest request, IReadOnlyList<Guid>? ids = null)
        where TRequest : IMessage<TRequest>
        where TResponse : class, IMessage<TResponse>
    {
        if (leader < 0)
            return null;
        var version = GroupMessages.VersionOf<TRequest>();
        try
        {
            var answer = await peers.Of(leader).AskGroupAsync(
                new GroupCall(api, engine.Assignment.Version, client, null, GroupMessages.Write(request, version), ids ?? []));
            return GroupMessages.Read<TResponse>(answer, version);
        }
        catch (PeerLostException)
        {
            return null;
        }
    }

    /// <summary>The node id of the living broker that coordinates a group; this broker's where the groups' topic is not there; -1 where nobody leads in time.</summary>
    private async ValueTask<int> LeaderOfAsync(string groupId)
    {
        var since = ports.Time.GetTimestamp();
        while (true)
        {
            if (!engine.Cluster.TopicsByName.TryGetValue(GroupCoordinator.OffsetsTopic, out var topic))
                return engine.Me.NodeId;
            var assignment = engine.Assignment;
            var leader = assignment[new PartitionId(topic.Id, GroupCoordinator.PartitionOf(groupId, topic.Partitions.Count))].LeaderId;
            if (leader == engine.Me.NodeId || assignment.Brokers.Any(b => b.NodeId == leader))
                return leader;
            var left = LeaderAtMost - ports.Time.GetElapsedTime(since);
            if (left <= TimeSpan.Zero)
                return -1;
            try
            {
                await engine.AssignedAfterAsync(assignment.Version).WaitAsync(left, ports.Time);
            }
            catch (TimeoutException)
            {
                return -1;
            }
        }
    }
}
