using System.Collections.Concurrent;
using OrleansStream.Client.Groups;
using OrleansStream.Client.Producing;
using OrleansStream.Client.Reading;
using OrleansStream.Client.Topics;

namespace OrleansStream.Client;

/// <summary>
/// Topics, groups, producers and readers over grain calls: outside of the silos over an Orleans client, inside of them, in a grain, over the grain factory. It holds no
/// connection and is never disposed. Thread-safe.
/// </summary>
public sealed class OrleansStreamClient
{
    private readonly ConcurrentDictionary<string, TopicProducer> _producers = new(StringComparer.Ordinal);
    private readonly Func<string, TopicProducer> _newProducer;
    private readonly Func<string, TopicReader> _newReader;

    /// <param name="grains">An IClusterClient, or a silo's grain factory.</param>
    /// <param name="options">Null: the defaults.</param>
    /// <param name="time">Null: the system's.</param>
    public OrleansStreamClient(IGrainFactory grains, OrleansStreamClientOptions? options = null, TimeProvider? time = null)
    {
        options ??= new OrleansStreamClientOptions();
        time ??= TimeProvider.System;
        var attempts = new Attempts(options, time);
        var directory = new TopicDirectory(grains, attempts, options, time);
        Topics = new StreamTopics(grains, attempts);
        Groups = new StreamGroups(grains, attempts);
        _newProducer = topic => new TopicProducer(topic, directory, attempts, options, time);
        _newReader = topic => new TopicReader(topic, directory, attempts, options);
    }

    public StreamTopics Topics { get; }

    public StreamGroups Groups { get; }

    /// <summary>The producer of a topic, the same one for all callers.</summary>
    public TopicProducer Producer(string topic) => _producers.GetOrAdd(topic, _newProducer);

    public TopicReader Reader(string topic) => _newReader(topic);
}
