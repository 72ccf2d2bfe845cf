using System.Net;
using OrleansStream.Broker.Groups;
using OrleansStream.Gateway.Dispatch;

namespace OrleansStream.Gateway.Handlers;

/// <summary>What the handlers of groups have in common.</summary>
internal static class GroupContext
{
    /// <summary>The client as its group shows it.</summary>
    public static GroupClient GroupClient(this RequestContext context) => new(context.Version, context.ClientId ?? "", HostOf(context.Peer.Address));

    /// <summary>Without the port, behind a slash, as Java prints an address.</summary>
    private static string HostOf(string address) => IPEndPoint.TryParse(address, out IPEndPoint? endPoint) ? $"/{endPoint.Address}" : $"/{address}";

    public static IGroupCoordinator Groups(this RequestContext context) => context.Gateway.Engine.Groups;
}
