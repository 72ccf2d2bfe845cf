using OrleansStream.Broker.Topics;
using OrleansStream.Gateway.Dispatch;
using OrleansStream.Protocol;
using OrleansStream.Protocol.Messages;

namespace OrleansStream.Gateway.Handlers;

/// <summary>
/// FindCoordinator: this cluster's controller for groups and transactional ids. Until their coordinators exist, the requests that would follow are not in
/// ApiVersions, so that clients fail at once and by name; COORDINATOR_NOT_AVAILABLE would have them ask again for a minute.
/// </summary>
internal sealed class FindCoordinatorHandler : ApiHandler<FindCoordinatorRequest>
{
    private const sbyte GroupType = 0;
    private const sbyte TransactionType = 1;

    protected override ValueTask<Answer> AnswerAsync(FindCoordinatorRequest request, RequestContext context)
    {
        ErrorCode error = request.KeyType is GroupType or TransactionType ? ErrorCode.None : ErrorCode.InvalidRequest;
        string? reason = error == ErrorCode.None ? null : $"Coordinators of type {request.KeyType} do not exist here.";
        ClusterPicture cluster = context.Gateway.Engine.Cluster;
        BrokerPicture? node = cluster.Brokers.FirstOrDefault(b => b.NodeId == cluster.ControllerId) ?? cluster.Brokers.FirstOrDefault();
        AdvertisedAddress? address = node?.AddressFor(context.Peer);
        if (error == ErrorCode.None && address is null)
            error = ErrorCode.CoordinatorNotAvailable;
        bool found = error == ErrorCode.None;

        var response = new FindCoordinatorResponse();
        if (context.Version < 4)
        {
            response.ErrorCode = context.Report(error);
            response.ErrorMessage = context.Version >= 1 ? reason ?? "NONE" : null;
            response.NodeId = found ? node!.NodeId : -1;
            response.Host = found ? address!.Value.Host : "";
            response.Port = found ? address!.Value.Port : -1;
            return ValueTask.FromResult(Answer.Of(response));
        }
        foreach (string key in request.CoordinatorKeys)
        {
            response.Coordinators.Add(new()
            {
                Key = key,
                ErrorCode = context.Report(error),
                ErrorMessage = reason ?? "",
                NodeId = found ? node!.NodeId : -1,
                Host = found ? address!.Value.Host : "",
                Port = found ? address!.Value.Port : -1,
            });
        }
        return ValueTask.FromResult(Answer.Of(response));
    }
}
