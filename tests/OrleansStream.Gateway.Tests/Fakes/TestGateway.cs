using System.Net;
using System.Net.Sockets;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using OrleansStream.Gateway.Connections;

namespace OrleansStream.Gateway.Tests.Fakes;

/// <summary>A gateway on a free port of 127.0.0.1 over a <see cref="MemoryEngine"/>.</summary>
internal sealed class TestGateway : IAsyncDisposable
{
    private readonly WebApplication _app;

    private TestGateway(WebApplication app, Gateway gateway, MemoryEngine engine, int port, RecordingLogs logs)
    {
        _app = app;
        Gateway = gateway;
        Engine = engine;
        Port = port;
        Logs = logs;
    }

    public Gateway Gateway { get; }
    public MemoryEngine Engine { get; }
    public int Port { get; }
    public RecordingLogs Logs { get; }
    public IServiceProvider Services => _app.Services;

    public static async Task<TestGateway> StartAsync(GatewayOptions? options = null, int port = 0)
    {
        options ??= new GatewayOptions();
        if (port == 0)
            port = FreePort();
        var logs = new RecordingLogs();
        var engine = new MemoryEngine("PLAINTEXT", "127.0.0.1", port);
        var gateway = new Gateway(engine, () => options, TimeProvider.System, logs);
        WebApplicationBuilder builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.Services.AddSingleton<ILoggerFactory>(logs);
        builder.WebHost.UseKafkaKestrel(kestrel =>
            kestrel.ListenKafka(gateway, new Listener("PLAINTEXT", SecurityProtocol.Plaintext, new IPEndPoint(IPAddress.Loopback, port))));
        WebApplication app = builder.Build();
        await app.StartAsync();
        return new TestGateway(app, gateway, engine, port, logs);
    }

    public async ValueTask DisposeAsync()
    {
        Gateway.Stop();
        await _app.StopAsync();
        await _app.DisposeAsync();
        Gateway.Dispose();
    }

    private static int FreePort()
    {
        using var probe = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        probe.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        return ((IPEndPoint)probe.LocalEndPoint!).Port;
    }
}
