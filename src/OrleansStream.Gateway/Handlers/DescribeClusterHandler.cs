using OrleansStream.Broker.Topics;
using OrleansStream.Gateway.Dispatch;
using OrleansStream.Protocol;
using OrleansStream.Protocol.Messages;

namespace OrleansStream.Gateway.Handlers;

/// <summary>DescribeCluster (KIP-700): the brokers. There are no separate controllers to be asked for (KIP-919).</summary>
internal sealed class DescribeClusterHandler : ApiHandler<DescribeClusterRequest>
{
    private const sbyte Brokers = 1;
    private const sbyte Controllers = 2;

    protected override ValueTask<Answer> AnswerAsync(DescribeClusterRequest request, RequestContext context)
    {
        var response = new DescribeClusterResponse { EndpointType = request.EndpointType };
        if (request.EndpointType != Brokers)
        {
            bool known = request.EndpointType == Controllers;
            response.ErrorCode = context.Report(known ? ErrorCode.MismatchedEndpointType : ErrorCode.UnsupportedEndpointType);
            response.ErrorMessage = known ? "The request was sent to a broker, which knows no controllers." : "The endpoint type is unknown.";
            return ValueTask.FromResult(Answer.Of(response));
        }

        ClusterPicture cluster = context.Gateway.Engine.Cluster;
        response.ClusterId = cluster.ClusterId;
        response.ControllerId = cluster.ControllerId;
        foreach (BrokerPicture broker in cluster.Brokers)
        {
            if (broker.AddressFor(context.Peer) is { } address)
                response.Brokers.Add(new() { BrokerId = broker.NodeId, Host = address.Host, Port = address.Port, Rack = broker.Rack });
        }
        if (request.IncludeClusterAuthorizedOperations)
            response.ClusterAuthorizedOperations = PictureExtensions.AllClusterOperations;
        return ValueTask.FromResult(Answer.Of(response));
    }
}
