using System.Net;
using System.Net.Sockets;

namespace OrleansStream.EndToEnd.Brokers;

internal static class Ports
{
    // Below the range that the system gives to outgoing connections, so that nothing takes a port before its owner does.
    private const int Lowest = 10_000, Count = 2_000;

    private static int s_next = Random.Shared.Next(Count);

    /// <summary>
    /// A port that is free, and that no other caller in this process is given for the next two thousand: its owner may take it long after.
    /// Its neighbour 20000 above, for Kafka's controller, is free as well.
    /// </summary>
    public static int Free()
    {
        for (var attempt = 0; attempt < Count; attempt++)
        {
            var port = Lowest + (int)((uint)Interlocked.Increment(ref s_next) % Count);
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
