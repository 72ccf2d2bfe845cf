using System.Globalization;
using System.Runtime.CompilerServices;
using OrdersGrains;
using Orleans;
using OrleansStream.Client;

namespace OrdersSilo;

/// <summary>Keeps nothing: the topic is the state, and Kafka's clients read the same records.</summary>
internal sealed class CustomerGrain(OrleansStreamClient streams) : Grain, ICustomerGrain
{
    private const string Topic = "orders";
    private const int Partitions = 6;

    public async Task<PlacedOrder> PlaceAsync(string product, int pieces)
    {
        await streams.Topics.EnsureAsync(Topic, Partitions);
        var record = new NewRecord(this.GetPrimaryKeyString(), $"{pieces.ToString(CultureInfo.InvariantCulture)} {product}");
        RecordPosition position = await streams.Producer(Topic).AppendAsync(record);
        return new PlacedOrder(product, pieces, position.Partition, position.Offset);
    }

    public async IAsyncEnumerable<PlacedOrder> OrdersAsync([EnumeratorCancellation] CancellationToken cancel = default)
    {
        string customer = this.GetPrimaryKeyString();
        for (int partition = 0; partition < ((await streams.Topics.FindAsync(Topic, cancel))?.Partitions ?? 0); partition++)
        {
            await foreach (StreamRecord record in streams.Reader(Topic).ReadToEndAsync(partition, ReadFrom.Start, cancel))
            {
                if (record.KeyText == customer && record.ValueText?.Split(' ', 2) is [var pieces, var product])
                    yield return new PlacedOrder(product, int.Parse(pieces, CultureInfo.InvariantCulture), record.Partition, record.Offset);
            }
        }
    }
}
