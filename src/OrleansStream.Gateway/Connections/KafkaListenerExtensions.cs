using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.AspNetCore.Server.Kestrel.Transport.Sockets;
using Microsoft.Extensions.DependencyInjection;

namespace OrleansStream.Gateway.Connections;

/// <summary>Puts Kafka listeners into Kestrel.</summary>
public static class KafkaListenerExtensions
{
    // Large enough that the socket goes on receiving while a request of 1 MB is taken in.
    private const long ReadAheadBytes = 4 * 1024 * 1024;
    private const long WriteBehindBytes = 1024 * 1024;

    /// <summary>
    /// Kestrel with the sockets' settings for Kafka: large pinned blocks, and buffers for requests and responses of megabytes. Our memory pool comes
    /// after Kestrel's own registration, of 4 KiB blocks: of two the last counts.
    /// </summary>
    public static IWebHostBuilder UseKafkaKestrel(
        this IWebHostBuilder web, Action<KestrelServerOptions> kestrel, Action<SocketTransportOptions>? sockets = null) =>
        web.UseKestrelCore().ConfigureKestrel(kestrel).ConfigureServices(services => services
            .AddSingleton<IMemoryPoolFactory<byte>, BlockMemoryPoolFactory>()
            .Configure<SocketTransportOptions>(options =>
            {
                options.MaxReadBufferSize = ReadAheadBytes;
                options.MaxWriteBufferSize = WriteBehindBytes;
                options.NoDelay = true;
                // KafkaConnection says itself what leaves the thread that received it.
                options.UnsafePreferInlineScheduling = true;
                options.Backlog = 1024;
                sockets?.Invoke(options);
            }));

    public static void ListenKafka(this KestrelServerOptions kestrel, Gateway gateway, Listener listener) =>
        kestrel.ListenKafka(Task.FromResult(gateway), listener);

    /// <summary>Connections wait until the gateway is there, so that a broker can listen while it recovers.</summary>
    public static void ListenKafka(this KestrelServerOptions kestrel, Task<Gateway> gateway, Listener listener) =>
        kestrel.Listen(listener.EndPoint, options => options.Use(_ => new KafkaConnectionHandler(gateway, listener).OnConnectedAsync));
}
