using System.Net;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Orleans.Configuration;
using Orleans.Hosting;

namespace OrleansStream.Cluster.EndToEnd.Silos;

/// <summary>Hosts that know the cluster by an Orleans client alone.</summary>
internal static class OrleansClients
{
    public static async Task<IHost> ConnectAsync(SiloCluster cluster, CancellationToken cancel)
    {
        HostApplicationBuilder builder = Host.CreateEmptyApplicationBuilder(new HostApplicationBuilderSettings());
        builder.UseOrleansClient(orleans =>
        {
            orleans.UseStaticClustering([.. cluster.Silos.Select(static s => new IPEndPoint(IPAddress.Loopback, s.GatewayPort))]);
            orleans.Configure<ClusterOptions>(static options => (options.ClusterId, options.ServiceId) = ("ostream", "ostream"));
        });
        builder.Services.AddOrleansStreamClient();
        IHost host = builder.Build();
        await host.StartAsync(cancel);
        return host;
    }
}
