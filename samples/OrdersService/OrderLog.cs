using OrleansStream.Client;

namespace OrdersService;

/// <summary>Follows the topic and logs each order, whoever has made it.</summary>
internal sealed class OrderLog(OrleansStreamClient client, ILogger<OrderLog> log) : BackgroundService
{
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        await client.Topics.EnsureAsync(Order.Topic, partitions: 3, cancel: stoppingToken);
        await foreach (StreamRecord record in client.Reader(Order.Topic).ReadAllAsync(ReadFrom.Start, stoppingToken))
        {
            Order order = Order.From(record);
            log.LogInformation("{Customer} orders {Count} of {Article} (partition {Partition}, offset {Offset})",
                order.Customer, order.Count, order.Article, record.Partition, record.Offset);
        }
    }
}
