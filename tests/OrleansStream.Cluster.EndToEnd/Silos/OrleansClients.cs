using System.Net;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Orleans.Configuration;
using Orleans.Hosting;

namespace OrleansStream.Cluster.EndToEnd.Silos;

/// <summary>A .NET service beside the cluster: nothing but an Orleans client, and ours over it.</summary>
internal static class OrleansClients
{
    public static Task<IHost> ConnectAsync(SiloCluster cluster, CancellationToken cancel) => ConnectAsync(cluster.Silos.Select(static s => s.GatewayPort), cancel);

    public static async Task<IHost> ConnectAsync(IEnumerable<int> gatewayPorts, CancellationToken cancel)
    {
        HostApplicationBuilder builder = Host.CreateEmptyApplicationBuilder(new HostApplicationBuilderSettings());
        builder.UseOrleansClient(orleans =>
        {
            orleans.UseStaticClustering([.. gatewayPorts.Select(static port => new IPEndPoint(IPAddress.Loopback, port))]);
            orleans.Configure<ClusterOptions>(static options => (options.ClusterId, options.ServiceId) = ("ostream", "ostream"));
        });
        builder.Services.AddOrleansStreamClient();
        IHost host = builder.Build();
        await host.StartAsync(cancel);
        return host;
    }
}
