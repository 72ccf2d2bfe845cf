using Orleans.Concurrency;

namespace OrleansStream.Grains;

/// <summary>The cluster as a whole: its topics, its brokers, and the controller that assigns partitions to them. There is one; its key is 0.</summary>
[Alias("OrleansStream.IClusterGrain")]
public interface IClusterGrain : IGrainWithIntegerKey
{
    /// <summary>The topics that live, in the order of their names.</summary>
    [Alias("ListTopics")]
    Task<TopicInfo[]> ListTopicsAsync();

    /// <summary>For brokers: says what became of partitions, and answers what is news, holding the call for a while where there is none.</summary>
    [AlwaysInterleave, Alias("Exchange")]
    Task<BrokerNews> ExchangeAsync(BrokerReport report);

    /// <summary>For topic grains: stored records of topics have changed. Answers the version whose news say so.</summary>
    [AlwaysInterleave, Alias("TopicsChanged")]
    Task<long> TopicsChangedAsync(string[] names);

    /// <summary>For brokers: stored configurations have changed. Answers the version whose news say so.</summary>
    [AlwaysInterleave, Alias("ConfigsChanged")]
    Task<long> ConfigsChangedAsync();

    /// <summary>For a broker that is about to stop: completes when others lead its partitions.</summary>
    [AlwaysInterleave, Alias("Leave")]
    Task LeaveAsync(int nodeId);
}
