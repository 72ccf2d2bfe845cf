namespace OrleansStream.Grains;

/// <summary>
/// A topic: its partitions and configuration. The key is the topic's name. A change is durable, and known to the cluster's controller, when the call answers;
/// every silo shows it within a second, the caller's own once it has reached <see cref="TopicOutcome.Version"/>.
/// </summary>
[Alias("OrleansStream.ITopicGrain")]
public interface ITopicGrain : IGrainWithStringKey
{
    /// <summary>Creates the topic by the rules of CreateTopics: -1 partitions or replication factor mean the cluster's default (KIP-464).</summary>
    [Alias("Create")]
    Task<TopicOutcome> CreateAsync(TopicSpec spec);

    /// <summary>The topic as it is; error UNKNOWN_TOPIC_OR_PARTITION where there is none.</summary>
    [Alias("Describe")]
    Task<TopicOutcome> DescribeAsync();

    /// <summary>The topic with its configuration and the places of its partitions; error UNKNOWN_TOPIC_OR_PARTITION where there is none.</summary>
    [Alias("Details")]
    Task<TopicDetails> DetailsAsync();

    /// <summary>Raises the number of partitions to <paramref name="count"/> (CreatePartitions). Assignments of replicas, one for each new partition, may be null.</summary>
    [Alias("AddPartitions")]
    Task<TopicOutcome> AddPartitionsAsync(int count, int[][]? assignments);

    /// <summary>Deletes the topic of that id (the empty id: whichever has the name) and, later, its data.</summary>
    [Alias("Delete")]
    Task<TopicOutcome> DeleteAsync(Guid id);

    /// <summary>Changes the topic's configuration (IncrementalAlterConfigs, KIP-339).</summary>
    [Alias("AlterConfigs")]
    Task<TopicOutcome> AlterConfigsAsync(TopicConfigChange[] changes);
}
