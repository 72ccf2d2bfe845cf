using System.Net;
using System.Net.Sockets;

namespace OrleansStream.Cluster.EndToEnd.Silos;

/// <summary>
/// A load balancer of the simplest kind: each TCP connection goes to the next silo in turn that accepts one, whatever is spoken on it. When one side ends, so
/// does the other.
/// </summary>
internal sealed class Balancer : IAsyncDisposable
{
    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly CancellationTokenSource _stopping = new();
    private readonly Lock _lock = new();
    private readonly HashSet<Task> _connections = [];
    private readonly Task _accepting;
    private int _turn;

    public Balancer()
    {
        _listener.Start();
        Port = ((IPEndPoint)_listener.LocalEndpoint).Port;
        _accepting = AcceptAsync();
    }

    public int Port { get; }

    /// <summary>Where the silos listen now.</summary>
    public Func<IReadOnlyList<int>> Targets { get; set; } = static () => [];

    public async ValueTask DisposeAsync()
    {
        await _stopping.CancelAsync();
        _listener.Stop();
        await _accepting;
        Task[] left;
        lock (_lock) left = [.. _connections];
        await Task.WhenAll(left);
        _stopping.Dispose();
    }

    private async Task AcceptAsync()
    {
        while (!_stopping.IsCancellationRequested)
        {
            Socket client;
            try
            {
                client = await _listener.AcceptSocketAsync(_stopping.Token);
            }
            catch (Exception e) when (e is OperationCanceledException or SocketException or ObjectDisposedException)
            {
                return;
            }
            Task connection = ServeAsync(client);
            lock (_lock) _connections.Add(connection);
            _ = connection.ContinueWith(c => { lock (_lock) _connections.Remove(c); }, TaskScheduler.Default);
        }
    }

    private async Task ServeAsync(Socket client)
    {
        using (client)
        using (Socket? silo = await ConnectAsync())
        {
            if (silo is null) return;
            client.NoDelay = silo.NoDelay = true;
            using CancellationTokenSource end = CancellationTokenSource.CreateLinkedTokenSource(_stopping.Token);
            Task[] ways = [PumpAsync(client, silo, end.Token), PumpAsync(silo, client, end.Token)];
            await Task.WhenAny(ways);
            await end.CancelAsync();
            await Task.WhenAll(ways);
        }
    }

    /// <summary>Null where no silo accepts: then the client is hung up on.</summary>
    private async Task<Socket?> ConnectAsync()
    {
        IReadOnlyList<int> targets = Targets();
        for (int tried = 0; tried < targets.Count; tried++)
        {
            int port = targets[(int)((uint)Interlocked.Increment(ref _turn) % (uint)targets.Count)];
            var silo = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
            try
            {
                await silo.ConnectAsync(IPAddress.Loopback, port, _stopping.Token);
                return silo;
            }
            catch (Exception e) when (e is SocketException or OperationCanceledException)
            {
                silo.Dispose();
            }
        }
        return null;
    }

    private static async Task PumpAsync(Socket from, Socket to, CancellationToken end)
    {
        byte[] buffer = new byte[64 * 1024];
        try
        {
            while (await from.ReceiveAsync(buffer, end) is > 0 and var count)
            {
                for (int sent = 0; sent < count;) sent += await to.SendAsync(buffer.AsMemory(sent, count - sent), end);
            }
        }
        catch (Exception e) when (e is SocketException or OperationCanceledException or ObjectDisposedException)
        {
            // One side is gone, or the test ends.
        }
    }
}
