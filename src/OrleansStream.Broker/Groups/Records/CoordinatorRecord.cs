using OrleansStream.Protocol;

namespace OrleansStream.Broker.Groups.Records;

/// <summary>
/// A record of __consumer_offsets: what a coordinator's state is made of. A null value is a tombstone.
/// </summary>
/// <param name="Type">Kafka's number of the key's type (the "apiKey" of its schema), which stands before the key.</param>
/// <param name="ValueVersion">The version in which the value is written, which stands before it.</param>
internal readonly record struct CoordinatorRecord(short Type, IMessage Key, IMessage? Value, short ValueVersion)
{
    public static CoordinatorRecord Of<TKey, TValue>(TKey key, TValue value, short version) where TKey : IMessage<TKey> where TValue : IMessage<TValue> =>
        new(TKey.Info.ApiKey, key, value, version);

    public static CoordinatorRecord Tombstone<TKey>(TKey key) where TKey : IMessage<TKey> => new(TKey.Info.ApiKey, key, null, 0);
}
