using System.Collections.Concurrent;
using OrleansStream.Client.Topics;
using OrleansStream.Grains;

namespace OrleansStream.Client.Producing;

/// <summary>
/// Appends records to a topic, acknowledged when the journal has them. Thread-safe; one for all callers gathers best. Records that go to one
/// partition are in the order of their list, and of calls of which one is awaited before the next. At least once: what was tried again after its answer
/// was lost may be there twice. Nothing bounds what waits but who awaits the calls.
/// </summary>
public sealed class TopicProducer
{
    private readonly TopicDirectory _topics;
    private readonly TimeProvider _time;
    private readonly Func<int, PartitionAppender> _newAppender;
    private readonly ConcurrentDictionary<int, PartitionAppender> _appenders = [];
    private uint _turn;

    internal TopicProducer(string topic, TopicDirectory topics, Attempts attempts, OrleansStreamClientOptions options, TimeProvider time)
    {
        Topic = topic;
        (_topics, _time) = (topics, time);
        _newAppender = index => new PartitionAppender(topic, index, topics, attempts, options);
    }

    public string Topic { get; }

    /// <summary>Appends a record. Once it is handed over, cancelling only ends the wait. Throws <see cref="OrleansStreamException"/>.</summary>
    public async Task<RecordPosition> AppendAsync(NewRecord record, CancellationToken cancel = default)
    {
        TopicInfo info = await _topics.GetAsync(Topic, cancel);
        return await Append(record, info).WaitAsync(cancel);
    }

    /// <summary>Appends records: where each landed, in their order. Those before one that failed, and those behind, may be there.</summary>
    public async Task<IReadOnlyList<RecordPosition>> AppendAsync(IEnumerable<NewRecord> records, CancellationToken cancel = default)
    {
        TopicInfo info = await _topics.GetAsync(Topic, cancel);
        return await Task.WhenAll(records.Select(r => Append(r, info)).ToArray()).WaitAsync(cancel);
    }

    private Task<RecordPosition> Append(NewRecord record, TopicInfo info)
    {
        int partition = record.Partition
            ?? (record.Key is { } key ? KeyPartitioner.Partition(key.Span, info.Partitions) : (int)(Interlocked.Increment(ref _turn) % (uint)info.Partitions));
        if ((uint)partition >= (uint)info.Partitions)
            throw new OrleansStreamException(ErrorCode.UnknownTopicOrPartition, $"topic '{Topic}' has {info.Partitions} partitions, none of them is {partition}");
        return _appenders.GetOrAdd(partition, _newAppender).AppendAsync(record, (record.Timestamp ?? _time.GetUtcNow()).ToUnixTimeMilliseconds());
    }
}
