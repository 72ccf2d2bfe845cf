using System.Net;
using System.Net.Sockets;

namespace OrleansStream.EndToEnd.Brokers;

internal static class Ports
{
    /// <summary>
    /// A free port below the range that the system gives to outgoing connections, so that nothing takes it before its owner does, with a
    /// free neighbour 20000 above for Kafka's controller.
    /// </summary>
    public static int Free()
    {
        for (var attempt = 0; attempt < 200; attempt++)
        {
            var port = Random.Shared.Next(10_000, 12_000);
            try
            {
                using var first = new TcpListener(IPAddress.Loopback, port);
                using var second = new TcpListener(IPAddress.Loopback, port + 20_000);
                first.Start();
                second.Start();
                return port;
            }
            catch (SocketException) { }
        }
        throw new InvalidOperationException("no free port");
    }
}
