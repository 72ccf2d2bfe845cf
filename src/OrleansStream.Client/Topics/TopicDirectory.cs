using System.Collections.Concurrent;
using OrleansStream.Grains;

namespace OrleansStream.Client.Topics;

/// <summary>What the topics' grains have said of id and partitions, for a while. Thread-safe.</summary>
internal sealed class TopicDirectory(IGrainFactory grains, Attempts attempts, OrleansStreamClientOptions options, TimeProvider time)
{
    private readonly ConcurrentDictionary<string, (TopicInfo Topic, long At)> _known = new(StringComparer.Ordinal);

    /// <summary>The topic; throws <see cref="OrleansStreamException"/> with UNKNOWN_TOPIC_OR_PARTITION where there is none.</summary>
    public async Task<TopicInfo> GetAsync(string name, CancellationToken cancel)
    {
        if (_known.TryGetValue(name, out (TopicInfo Topic, long At) known) && time.GetElapsedTime(known.At) < options.MetadataMaxAge)
            return known.Topic;
        long at = time.GetTimestamp();
        TopicOutcome told = await attempts.UntilDoneAsync(
            () => grains.GetGrain<ITopicGrain>(name).DescribeAsync(),
            // That there is no such topic is an answer: its grain has looked into the store.
            static o => ((ErrorCode)o.ErrorCode).IsOfTopic() ? (ErrorCode.None, null) : ((ErrorCode)o.ErrorCode, o.Message), cancel);
        if (told.Topic is not { } topic)
            throw new OrleansStreamException(ErrorCode.UnknownTopicOrPartition, $"there is no topic '{name}'");
        _known[name] = (topic, at);
        return topic;
    }

    /// <summary>A silo does not know the topic: it is gone, or so new that the silo has not heard of it.</summary>
    public void Doubt(TopicInfo topic)
    {
        if (_known.TryGetValue(topic.Name, out (TopicInfo Topic, long At) known) && ReferenceEquals(known.Topic, topic))
            _known.TryRemove(new(topic.Name, known));
    }

    /// <summary>The grain of a partition; throws <see cref="OrleansStreamException"/> where the topic has no such partition.</summary>
    public IPartitionGrain Partition(TopicInfo topic, int index) => (uint)index < (uint)topic.Partitions
        ? grains.GetGrain<IPartitionGrain>(PartitionKey.Of(topic.Id, index))
        : throw new OrleansStreamException(ErrorCode.UnknownTopicOrPartition, $"topic '{topic.Name}' has {topic.Partitions} partitions, none of them is {index}");
}
