using OrleansStream.Broker.Groups;
using OrleansStream.Broker.Topics;
using OrleansStream.Gateway.Dispatch;
using OrleansStream.Protocol;
using OrleansStream.Protocol.Messages;

namespace OrleansStream.Gateway.Handlers;

/// <summary>
/// FindCoordinator: of groups, the leader of their partition of __consumer_offsets. Of transactional ids, the controller: until their coordinators exist, the
/// requests that would follow are not in ApiVersions, so that clients fail at once and by name; COORDINATOR_NOT_AVAILABLE would have them ask again for a
/// minute.
/// </summary>
internal sealed class FindCoordinatorHandler : ApiHandler<FindCoordinatorRequest>
{
    private const sbyte GroupType = 0;
    private const sbyte TransactionType = 1;

    /// <summary>From this version on, several keys in one request (KIP-699).</summary>
    private const short Several = 4;

    protected override async ValueTask<Answer> AnswerAsync(FindCoordinatorRequest request, RequestContext context)
    {
        var response = new FindCoordinatorResponse();
        if (context.Version >= Several)
        {
            foreach (string key in request.CoordinatorKeys)
                response.Coordinators.Add(await FindAsync(request.KeyType, key, context));
            return Answer.Of(response);
        }
        FindCoordinatorResponse.Coordinator found = await FindAsync(request.KeyType, request.Key, context);
        response.ErrorCode = found.ErrorCode;
        response.ErrorMessage = context.Version == 0 ? null : found.ErrorMessage is { Length: > 0 } message ? message : "NONE";
        (response.NodeId, response.Host, response.Port) = (found.NodeId, found.Host, found.Port);
        return Answer.Of(response);
    }

    private static async ValueTask<FindCoordinatorResponse.Coordinator> FindAsync(sbyte type, string key, RequestContext context)
    {
        CoordinatorLookup lookup = type switch
        {
            GroupType => await context.Groups().FindAsync(key, context.Gateway.Engine.Topics, context.Cancel),
            TransactionType => new CoordinatorLookup(ErrorCode.None, context.Gateway.Engine.Cluster.ControllerId),
            _ => new CoordinatorLookup(ErrorCode.InvalidRequest, -1, $"Coordinators of type {type} do not exist here."),
        };
        ClusterPicture cluster = context.Gateway.Engine.Cluster;
        AdvertisedAddress? address = cluster.Brokers.FirstOrDefault(b => b.NodeId == lookup.NodeId)?.AddressFor(context.Peer);
        ErrorCode error = lookup.Error == ErrorCode.None && address is null ? ErrorCode.CoordinatorNotAvailable : lookup.Error;
        bool found = error == ErrorCode.None;
        return new()
        {
            Key = key,
            ErrorCode = context.Report(error),
            ErrorMessage = found ? "" : lookup.Message ?? "",
            NodeId = found ? lookup.NodeId : -1,
            Host = found ? address!.Value.Host : "",
            Port = found ? address!.Value.Port : -1,
        };
    }
}
