using Microsoft.AspNetCore.Connections;

namespace OrleansStream.Gateway.Connections;

/// <summary>Kestrel's way in: one listener's connections.</summary>
public sealed class KafkaConnectionHandler(Gateway gateway, Listener listener) : ConnectionHandler
{
    public override Task OnConnectedAsync(ConnectionContext connection) =>
        gateway.ServeAsync(listener, connection.RemoteEndPoint?.ToString() ?? "an unknown peer", connection.Transport, connection.ConnectionClosed);
}
