using System.Net;
using System.Net.Sockets;
using OrleansStream.Broker.Configuration;
using OrleansStream.Hosting.Configuration;

namespace OrleansStream.Hosting.Listening;

/// <summary>socket.send.buffer.bytes and socket.receive.buffer.bytes; 0 leaves it to the system, which does better than Kafka's default of 100 KiB.</summary>
internal readonly record struct SocketBuffers(int SendBytes, int ReceiveBytes)
{
    public static SocketBuffers Of(BrokerSettings settings) => new(
        settings.Layers.IsGiven("socket.send.buffer.bytes") ? settings.SocketSendBufferBytes : 0,
        settings.Layers.IsGiven("socket.receive.buffer.bytes") ? settings.SocketReceiveBufferBytes : 0);
}

/// <summary>
/// The sockets of one address, bound before anything else starts: a port in use is told at once, and port 0 is known before it is advertised.
/// </summary>
internal sealed record BoundListener(string Name, IReadOnlyList<Socket> Sockets)
{
    public int Port => ((IPEndPoint)Sockets[0].LocalEndPoint!).Port;

    /// <summary>Throws <see cref="UsageException"/>.</summary>
    public static BoundListener Bind(string name, string host, int port, SocketBuffers buffers)
    {
        var sockets = new List<Socket>();
        try
        {
            foreach (IPAddress address in Addresses(host))
            {
                var socket = new Socket(address.AddressFamily, SocketType.Stream, ProtocolType.Tcp);
                sockets.Add(socket);
                if (address.Equals(IPAddress.IPv6Any))
                    socket.DualMode = true;
                // Connections inherit them from the socket that accepts.
                if (buffers.SendBytes > 0)
                    socket.SendBufferSize = buffers.SendBytes;
                if (buffers.ReceiveBytes > 0)
                    socket.ReceiveBufferSize = buffers.ReceiveBytes;
                socket.Bind(new IPEndPoint(address, port));
                if (port == 0)
                    port = ((IPEndPoint)socket.LocalEndPoint!).Port;
            }
            return new BoundListener(name, sockets);
        }
        catch (SocketException e)
        {
            foreach (Socket socket in sockets)
                socket.Dispose();
            throw new UsageException($"cannot listen on {name} {host}:{port}: {e.Message}", e);
        }
    }

    private static IPAddress[] Addresses(string host)
    {
        if (host.Length == 0)
            return [Socket.OSSupportsIPv6 ? IPAddress.IPv6Any : IPAddress.Any];
        if (host.Equals("localhost", StringComparison.OrdinalIgnoreCase))
            return HasIPv6Loopback() ? [IPAddress.Loopback, IPAddress.IPv6Loopback] : [IPAddress.Loopback];
        return IPAddress.TryParse(host, out IPAddress? address) ? [address] : Dns.GetHostAddresses(host);
    }

    // Containers often have IPv6 compiled in and no address of it.
    private static bool HasIPv6Loopback()
    {
        if (!Socket.OSSupportsIPv6)
            return false;
        try
        {
            using var probe = new Socket(AddressFamily.InterNetworkV6, SocketType.Stream, ProtocolType.Tcp);
            probe.Bind(new IPEndPoint(IPAddress.IPv6Loopback, 0));
            return true;
        }
        catch (SocketException)
        {
            return false;
        }
    }
}
