namespace OrleansStream.Grains;

/// <summary>A broker: what clients are told of it, and the silo that it is.</summary>
/// <param name="Listeners">Advertised addresses by listener name.</param>
[GenerateSerializer, Immutable, Alias("OrleansStream.BrokerInfo")]
public sealed record BrokerInfo(
    [property: Id(0)] int NodeId, [property: Id(1)] string? Rack, [property: Id(2)] BrokerListener[] Listeners, [property: Id(3)] SiloAddress Silo);

/// <summary>An advertised address.</summary>
[GenerateSerializer, Immutable, Alias("OrleansStream.BrokerListener")]
public sealed record BrokerListener([property: Id(0)] string Name, [property: Id(1)] string Host, [property: Id(2)] int Port);

/// <summary>A broker's side of an exchange with the controller.</summary>
/// <param name="Version">The version that it has; 0: none.</param>
/// <param name="Events">What became of partitions since the last report that was answered; all that serve, where <paramref name="Version"/> is not the controller's.</param>
/// <param name="WaitMs">How long the controller may hold the call, in milliseconds.</param>
/// <param name="IsLeaving">It is about to stop: what it leads goes to others, and it gets nothing more.</param>
[GenerateSerializer, Immutable, Alias("OrleansStream.BrokerReport")]
public sealed record BrokerReport(
    [property: Id(0)] BrokerInfo Broker, [property: Id(1)] long Version, [property: Id(2)] BrokerEvent[] Events, [property: Id(3)] int WaitMs,
    [property: Id(4)] bool IsLeaving = false);

/// <summary>A partition serves under an epoch, or leads no more that led under it.</summary>
[GenerateSerializer, Immutable, Alias("OrleansStream.BrokerEvent")]
public readonly record struct BrokerEvent(
    [property: Id(0)] Guid TopicId, [property: Id(1)] int Index, [property: Id(2)] int LeaderEpoch, [property: Id(3)] bool Serves);

/// <summary>The controller's side: what is news to that broker.</summary>
/// <param name="Refusal">Why the broker cannot be part of the cluster; null where it is.</param>
/// <param name="Whole">Whether this is everything, and what it does not name is gone.</param>
/// <param name="Changed">Topics whose stored record is to be read again.</param>
[GenerateSerializer, Immutable, Alias("OrleansStream.BrokerNews")]
public sealed record BrokerNews(
    [property: Id(0)] string? Refusal, [property: Id(1)] long Version, [property: Id(2)] int ControllerId, [property: Id(3)] bool Whole,
    [property: Id(4)] BrokerInfo[] Brokers, [property: Id(5)] TopicLeaders[] Topics, [property: Id(6)] string[] Changed, [property: Id(7)] bool ConfigsChanged);

/// <summary>Leader and epoch of each partition of a topic; none for a topic that is gone.</summary>
[GenerateSerializer, Immutable, Alias("OrleansStream.TopicLeaders")]
public sealed record TopicLeaders([property: Id(0)] Guid TopicId, [property: Id(1)] int[] Leaders, [property: Id(2)] int[] Epochs);
