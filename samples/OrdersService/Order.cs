using System.Text.Json;
using OrleansStream.Client;

namespace OrdersService;

/// <summary>What the service's customers order: one record of the topic each, as JSON, with the customer as its key.</summary>
internal sealed record Order(string Customer, string Article, int Count)
{
    public const string Topic = "orders";

    public NewRecord ToRecord() => new(Customer, JsonSerializer.Serialize(this, JsonSerializerOptions.Web));

    public static Order From(StreamRecord record) => JsonSerializer.Deserialize<Order>(record.Value.GetValueOrDefault().Span, JsonSerializerOptions.Web)
        ?? throw new FormatException($"the record at {record.Position} is no order");
}
