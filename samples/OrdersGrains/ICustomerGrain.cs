using Orleans;

namespace OrdersGrains;

/// <summary>A customer, by name: places orders, which are records of the topic "orders", and tells them again.</summary>
[Alias("samples.customer")]
public interface ICustomerGrain : IGrainWithStringKey
{
    /// <summary>Durable when it completes. Answers where the record is.</summary>
    [Alias("place")]
    Task<PlacedOrder> PlaceAsync(string product, int pieces);

    /// <summary>What this customer has placed so far, in order.</summary>
    [Alias("orders")]
    IAsyncEnumerable<PlacedOrder> OrdersAsync(CancellationToken cancel = default);
}

[GenerateSerializer, Immutable, Alias("samples.placed-order")]
public sealed record PlacedOrder([property: Id(0)] string Product, [property: Id(1)] int Pieces, [property: Id(2)] int Partition, [property: Id(3)] long Offset);
