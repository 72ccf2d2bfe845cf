using OrleansStream.Grains;

namespace OrleansStream.Client.Topics;

/// <summary>The topics of the cluster. Errors are <see cref="OrleansStreamException"/>s.</summary>
public sealed class StreamTopics
{
    private readonly IGrainFactory _grains;
    private readonly Attempts _attempts;

    internal StreamTopics(IGrainFactory grains, Attempts attempts) => (_grains, _attempts) = (grains, attempts);

    /// <summary>Creates a topic; TOPIC_ALREADY_EXISTS where there is one. -1 partitions: the cluster's default.</summary>
    public async Task<TopicInfo> CreateAsync(
        string name, int partitions = -1, IReadOnlyDictionary<string, string?>? configs = null, CancellationToken cancel = default) =>
        Topic(await DoneAsync(name, t => t.CreateAsync(Spec(partitions, configs)), cancel));

    /// <summary>The topic, which is created where there is none; what there is stays as it is.</summary>
    public async Task<TopicInfo> EnsureAsync(
        string name, int partitions = -1, IReadOnlyDictionary<string, string?>? configs = null, CancellationToken cancel = default)
    {
        if (await FindAsync(name, cancel) is { } known)
            return known;
        try
        {
            return await CreateAsync(name, partitions, configs, cancel);
        }
        catch (OrleansStreamException e) when (e.ErrorCode == ErrorCode.TopicAlreadyExists)
        {
            // Somebody else was faster, or an attempt whose answer was lost.
            return await FindAsync(name, cancel) ?? throw new OrleansStreamException(ErrorCode.UnknownTopicOrPartition, $"topic '{name}' was deleted meanwhile", e);
        }
    }

    /// <summary>The topic; null where there is none.</summary>
    public async Task<TopicInfo?> FindAsync(string name, CancellationToken cancel = default)
    {
        TopicOutcome told = await _attempts.UntilDoneAsync(
            () => _grains.GetGrain<ITopicGrain>(name).DescribeAsync(),
            static o => ((ErrorCode)o.ErrorCode).IsOfTopic() ? (ErrorCode.None, null) : ((ErrorCode)o.ErrorCode, o.Message), cancel);
        return told.Topic;
    }

    /// <summary>The topic with its configuration, and which broker and silo has each partition; null where there is none.</summary>
    public async Task<TopicDetails?> DescribeAsync(string name, CancellationToken cancel = default)
    {
        TopicDetails told = await _attempts.UntilDoneAsync(
            () => _grains.GetGrain<ITopicGrain>(name).DetailsAsync(),
            static o => ((ErrorCode)o.ErrorCode).IsOfTopic() ? (ErrorCode.None, null) : ((ErrorCode)o.ErrorCode, null), cancel);
        return told.Topic is null ? null : told;
    }

    /// <summary>All topics, in the order of their names.</summary>
    public async Task<IReadOnlyList<TopicInfo>> ListAsync(CancellationToken cancel = default) =>
        await _attempts.UntilDoneAsync(() => _grains.GetGrain<IClusterGrain>(0).ListTopicsAsync(), static _ => (ErrorCode.None, null), cancel);

    /// <summary>Raises the number of partitions. Keys may then belong to other partitions than before.</summary>
    public async Task<TopicInfo> AddPartitionsAsync(string name, int count, CancellationToken cancel = default) =>
        Topic(await DoneAsync(name, t => t.AddPartitionsAsync(count, null), cancel));

    /// <summary>Sets a value of the topic's configuration by Kafka's name (retention.ms, ...); null: the default again.</summary>
    public async Task SetConfigAsync(string name, string config, string? value, CancellationToken cancel = default)
    {
        const sbyte set = 0, delete = 1;
        await DoneAsync(name, t => t.AlterConfigsAsync([new TopicConfigChange(config, value is null ? delete : set, value)]), cancel);
    }

    /// <summary>Deletes the topic and, later, its data. UNKNOWN_TOPIC_OR_PARTITION where there is none.</summary>
    public async Task DeleteAsync(string name, CancellationToken cancel = default) => await DoneAsync(name, static t => t.DeleteAsync(Guid.Empty), cancel);

    private Task<TopicOutcome> DoneAsync(string name, Func<ITopicGrain, Task<TopicOutcome>> change, CancellationToken cancel) => _attempts.UntilDoneAsync(
        () => change(_grains.GetGrain<ITopicGrain>(name)),
        // Retriable elsewhere; here the topic's owner says that there is none.
        static o => ((ErrorCode)o.ErrorCode).IsOfTopic()
            ? throw new OrleansStreamException((ErrorCode)o.ErrorCode, o.Message)
            : ((ErrorCode)o.ErrorCode, o.Message),
        cancel);

    private static TopicSpec Spec(int partitions, IReadOnlyDictionary<string, string?>? configs) =>
        new() { Partitions = partitions, Configs = configs is null ? [] : new(configs) };

    private static TopicInfo Topic(TopicOutcome outcome) =>
        outcome.Topic ?? throw new OrleansStreamException(ErrorCode.UnknownTopicOrPartition, "the topic was deleted meanwhile");
}
