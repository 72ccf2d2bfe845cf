using OrleansStream.Broker.Engine;
using OrleansStream.Broker.Groups;
using OrleansStream.Protocol;
using OrleansStream.Protocol.Messages;

namespace OrleansStream.Broker.Forwarding;

/// <summary>Requests of groups that came to another broker, answered by the coordinators here.</summary>
internal sealed class ForwardedGroups(BrokerEngine engine, CallTurns turns)
{
    private IGroupCoordinator Groups => engine.Groups;

    public async ValueTask<ReadOnlyMemory<byte>> AskAsync(GroupCall call) => call.Api switch
    {
        ApiKey.OffsetCommit => await CommitAsync(call),
        ApiKey.OffsetFetch => await FetchAsync(call),
        ApiKey.OffsetDelete => await AnswerAsync<OffsetDeleteRequest>(call, async request => await Groups.DeleteOffsetsAsync(request)),
        ApiKey.JoinGroup => await AnswerAsync<JoinGroupRequest>(call, async request => await Groups.JoinAsync(call.Client, request)),
        ApiKey.SyncGroup => await AnswerAsync<SyncGroupRequest>(call, async request => await Groups.SyncAsync(call.Client, request)),
        ApiKey.Heartbeat => await AnswerAsync<HeartbeatRequest>(call, async request => await Groups.HeartbeatAsync(call.Client, request)),
        ApiKey.LeaveGroup => await AnswerAsync<LeaveGroupRequest>(call, async request => await Groups.LeaveAsync(call.Client, request)),
        ApiKey.ConsumerGroupHeartbeat =>
            await AnswerAsync<ConsumerGroupHeartbeatRequest>(call, async request => await Groups.HeartbeatAsync(call.Client, request)),
        ApiKey.ConsumerGroupDescribe => await AnswerAsync<ConsumerGroupDescribeRequest>(call, async request =>
        {
            var response = new ConsumerGroupDescribeResponse();
            response.Groups.AddRange(await Groups.DescribeConsumersAsync(request.GroupIds));
            return response;
        }),
        ApiKey.DescribeGroups => await AnswerAsync<DescribeGroupsRequest>(call, async request =>
        {
            var response = new DescribeGroupsResponse();
            response.Groups.AddRange(await Groups.DescribeAsync(call.Client, request.Groups));
            return response;
        }),
        ApiKey.DeleteGroups => await AnswerAsync<DeleteGroupsRequest>(call, async request =>
        {
            var response = new DeleteGroupsResponse();
            response.Results.AddRange(await Groups.DeleteAsync(request.GroupsNames));
            return response;
        }),
        ApiKey.ListGroups => await AnswerAsync<ListGroupsRequest>(call, async request => await Groups.ListAsync(request, CancellationToken.None)),
        _ => throw new ArgumentException($"{call.Api} is no request of a group's coordinator"),
    };

    private static async ValueTask<ReadOnlyMemory<byte>> AnswerAsync<TRequest>(GroupCall call, Func<TRequest, ValueTask<IMessage>> answer)
        where TRequest : IMessage<TRequest>
    {
        var version = GroupMessages.VersionOf<TRequest>();
        return GroupMessages.Write(await answer(GroupMessages.Read<TRequest>(call.Message, version)), version);
    }

    /// <summary>Commits begin in the order in which they began at the other broker, and wait for nothing but the journal.</summary>
    private async ValueTask<ReadOnlyMemory<byte>> CommitAsync(GroupCall call)
    {
        var version = GroupMessages.VersionOf<OffsetCommitRequest>();
        var request = GroupMessages.Read<OffsetCommitRequest>(call.Message, version);
        GroupMessages.SetIds(request, call.TopicIds);
        if (call.Order is not { } order)
            throw new ArgumentException("a commit has its place among others");
        if (!await turns.EnterAsync(order))
            return GroupMessages.Write(GroupErrors.Of(request, ErrorCode.CoordinatorNotAvailable), version);
        Task<OffsetCommitResponse> committing;
        try
        {
            committing = await Groups.BeginCommitAsync(call.Client, request);
        }
        finally
        {
            turns.Leave(order);
        }
        return GroupMessages.Write(await committing, version);
    }

    private async ValueTask<ReadOnlyMemory<byte>> FetchAsync(GroupCall call)
    {
        var version = GroupMessages.VersionOf<OffsetFetchRequest>();
        var request = GroupMessages.Read<OffsetFetchRequest>(call.Message, version);
        GroupMessages.SetIds(request.Groups[0], call.TopicIds);
        var response = new OffsetFetchResponse();
        response.Groups.Add(await Groups.FetchOffsetsAsync(request.Groups[0], request.RequireStable));
        return GroupMessages.Write(response, version);
    }
}
