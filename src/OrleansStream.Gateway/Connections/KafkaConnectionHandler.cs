using Microsoft.AspNetCore.Connections;

namespace OrleansStream.Gateway.Connections;

/// <summary>Kestrel's way in: one listener's connections.</summary>
public sealed class KafkaConnectionHandler(Task<Gateway> gateway, Listener listener) : ConnectionHandler
{
    public override async Task OnConnectedAsync(ConnectionContext connection)
    {
        Gateway served;
        try
        {
            served = await gateway.WaitAsync(connection.ConnectionClosed);
        }
        catch (OperationCanceledException)
        {
            // The client has gone, or the broker has not come.
            return;
        }
        await served.ServeAsync(listener, connection.RemoteEndPoint, connection.Transport, connection.ConnectionClosed);
    }
}
