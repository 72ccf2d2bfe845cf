using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using OrdersGrains;
using Orleans;
using OrleansStream.Client;
using OrleansStream.Cluster.EndToEnd.Silos;
using OrleansStream.EndToEnd.Brokers;
using Xunit.Abstractions;

namespace OrleansStream.Cluster.EndToEnd;

/// <summary>Grains that live in a broker's own process (samples/OrdersSilo) create a topic, append and read, wherever the partitions are led.</summary>
public sealed class GrainInSiloTests(ITestOutputHelper output) : ClusterTest(output)
{
    private const string Topic = "orders";
    private const int Customers = 8;
    private const int Orders = 5;

    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(2);

    private static string Program => Path.Combine(Repository.Root, "samples", "OrdersSilo", "bin", Repository.Configuration, "net10.0", "orders-silo.dll");

    [SkippableFact]
    public Task Grains_in_a_silo_append_to_topics_and_read_them() => OnFolderAsync(async cluster =>
    {
        await using SiloProcess silo = cluster.Another(Program);
        silo.Launch();
        await silo.AnswersAsync();
        using var patience = new CancellationTokenSource(Patience);
        using IHost host = await OrleansClients.ConnectAsync([silo.GatewayPort], patience.Token);
        var grains = host.Services.GetRequiredService<IGrainFactory>();

        PlacedOrder[][] placed = await Task.WhenAll(Enumerable.Range(0, Customers).Select(async customer =>
        {
            var own = new List<PlacedOrder>();
            for (int i = 0; i < Orders; i++)
                own.Add(await grains.GetGrain<ICustomerGrain>($"customer-{customer}").PlaceAsync($"thing {i}", customer + 1).WaitAsync(patience.Token));
            return own.ToArray();
        }));

        for (int customer = 0; customer < Customers; customer++)
        {
            var told = new List<PlacedOrder>();
            await foreach (PlacedOrder order in grains.GetGrain<ICustomerGrain>($"customer-{customer}").OrdersAsync(patience.Token))
                told.Add(order);
            Assert.Equal(placed[customer], told);
            Assert.Single(told.Select(static order => order.Partition).Distinct());
        }

        // The same records from outside.
        var client = host.Services.GetRequiredService<OrleansStreamClient>();
        int records = 0;
        for (int partition = 0; partition < (await client.Topics.FindAsync(Topic, patience.Token))!.Partitions; partition++)
        {
            await foreach (StreamRecord record in client.Reader(Topic).ReadToEndAsync(partition, ReadFrom.Start, patience.Token))
            {
                Assert.Contains(placed.SelectMany(static own => own), order => order.Partition == record.Partition && order.Offset == record.Offset
                    && record.ValueText == $"{order.Pieces} {order.Product}");
                records++;
            }
        }
        Assert.Equal(Customers * Orders, records);
    });
}
