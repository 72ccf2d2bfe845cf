// A small web service over a silo that runs beside it: POST /orders appends, GET /orders reads, and the log shows what comes.
//   dotnet run --project samples/OrdersService -- [--silo 127.0.0.1:30000] [--urls http://127.0.0.1:5000]
using System.Net;
using OrdersService;
using Orleans.Configuration;
using OrleansStream.Client;

WebApplicationBuilder builder = WebApplication.CreateBuilder(args);
builder.Host.UseOrleansClient(orleans =>
{
    orleans.UseStaticClustering(IPEndPoint.Parse(builder.Configuration["silo"] ?? "127.0.0.1:30000"));
    orleans.Configure<ClusterOptions>(options => (options.ClusterId, options.ServiceId) = ("ostream", "ostream"));
});
builder.Services.AddOrleansStreamClient();
builder.Services.AddHostedService<OrderLog>();
WebApplication app = builder.Build();

app.MapPost("/orders", async (Order order, OrleansStreamClient client, CancellationToken cancel) =>
{
    RecordPosition position = await client.Producer(Order.Topic).AppendAsync(order.ToRecord(), cancel);
    return position;
});

app.MapGet("/orders", async (OrleansStreamClient client, CancellationToken cancel) =>
{
    var orders = new List<Order>();
    for (int partition = 0; partition < (await client.Topics.FindAsync(Order.Topic, cancel))?.Partitions; partition++)
    {
        await foreach (StreamRecord record in client.Reader(Order.Topic).ReadToEndAsync(partition, ReadFrom.Start, cancel))
            orders.Add(Order.From(record));
    }
    return orders;
});

await app.RunAsync();
