using System.Net;
using System.Net.Sockets;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using OrleansStream.Gateway.Connections;
using OrleansStream.Hosting.Http;

namespace OrleansStream.Hosting.Listening;

/// <summary>Kestrel with the Kafka listeners and HTTP, on sockets that are bound already.</summary>
internal sealed class ServerHost : IAsyncDisposable
{
    private readonly WebApplication _app;

    private ServerHost(WebApplication app) => _app = app;

    /// <summary>
    /// Starts listening. Connections to Kafka wait until <paramref name="gateway"/> is there, so that Kestrel starts while the broker recovers.
    /// </summary>
    public static async Task<ServerHost> StartAsync(
        IReadOnlyList<BoundListener> kafka, BoundListener? http, HttpEndpoints endpoints, Task<Gateway.Gateway> gateway,
        int? backlog, ILoggerFactory logs, CancellationToken cancel)
    {
        WebApplicationBuilder builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.Services.AddSingleton(logs);
        builder.Services.AddSingleton<IHostLifetime, NoLifetime>();
        builder.WebHost.UseKafkaKestrel(
            kestrel =>
            {
                kestrel.AddServerHeader = false;
                foreach (BoundListener listener in kafka)
                {
                    foreach (Socket socket in listener.Sockets)
                        kestrel.ListenKafka(gateway, new Listener(listener.Name, SecurityProtocol.Plaintext, (IPEndPoint)socket.LocalEndPoint!));
                }
                foreach (Socket socket in http?.Sockets ?? [])
                    kestrel.Listen((IPEndPoint)socket.LocalEndPoint!, static options => options.Protocols = HttpProtocols.Http1);
            },
            sockets =>
            {
                sockets.CreateBoundListenSocket = endPoint => TakeSocket(kafka, http, endPoint);
                sockets.Backlog = backlog ?? sockets.Backlog;
            });
        WebApplication app = builder.Build();
        app.Run(endpoints.ServeAsync);
        await app.StartAsync(cancel);
        return new ServerHost(app);
    }

    /// <summary>Takes no more connections and waits for those that are there to end; after <paramref name="cancel"/> they are cut.</summary>
    public Task StopAsync(CancellationToken cancel) => _app.StopAsync(cancel);

    public ValueTask DisposeAsync() => _app.DisposeAsync();

    private static Socket TakeSocket(IReadOnlyList<BoundListener> kafka, BoundListener? http, EndPoint endPoint) =>
        kafka.Append(http).SelectMany(static l => l?.Sockets ?? []).First(s => endPoint.Equals(s.LocalEndPoint));
}
