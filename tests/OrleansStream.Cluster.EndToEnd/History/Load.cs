using OrleansStream.Cluster.EndToEnd.Silos;
using OrleansStream.EndToEnd.Wire;

namespace OrleansStream.Cluster.EndToEnd.History;

/// <summary>A topic under load: a producer and a reader for each partition, and the history of what they were told.</summary>
internal sealed class Load
{
    private readonly SiloCluster _cluster;
    private readonly List<FollowingReader> _readers;

    private Load(SiloCluster cluster, string topic, int partitions, TimeSpan requestAtMost)
    {
        _cluster = cluster;
        History = new TopicHistory(topic, partitions);
        Producers = [.. Enumerable.Range(0, partitions).Select(p => new SteadyProducer(cluster, History, p, id: p + 1, requestAtMost))];
        _readers = [.. Enumerable.Range(0, partitions).Select(p => new FollowingReader(cluster, History, p))];
    }

    public TopicHistory History { get; }

    /// <summary>By partition.</summary>
    public IReadOnlyList<SteadyProducer> Producers { get; }

    /// <summary>Completes when every partition has acknowledged something.</summary>
    public static async Task<Load> StartAsync(SiloCluster cluster, string topic, int partitions, int requestSeconds = 5)
    {
        await cluster.CreateTopicAsync(topic, partitions);
        var load = new Load(cluster, topic, partitions, TimeSpan.FromSeconds(requestSeconds));
        await Task.WhenAll(load.Producers.Select(static p => p.DeliversAfterAsync(0)));
        return load;
    }

    /// <summary>From a moment until each of these partitions has acknowledged what was sent after it.</summary>
    public async Task<IReadOnlyList<TimeSpan>> AnswerAgainAsync(IEnumerable<int> partitions, long moment)
    {
        Delivery[] first = await Task.WhenAll(partitions.Select(p => Producers[p].DeliversAfterAsync(moment)));
        return [.. first.Select(d => System.Diagnostics.Stopwatch.GetElapsedTime(moment, d.Answered))];
    }

    /// <summary>Completes when so many records are acknowledged.</summary>
    public async Task AcknowledgesAsync(int records)
    {
        while (History.AcknowledgedCount < records)
        {
            long moment = System.Diagnostics.Stopwatch.GetTimestamp();
            await Task.WhenAny(Producers.Select(p => p.DeliversAfterAsync(moment))).Unwrap();
        }
    }

    public async Task StopAsync()
    {
        await Task.WhenAll(Producers.Select(static p => p.StopAsync()));
        await Task.WhenAll(_readers.Select(static r => r.StopAsync()));
    }

    /// <summary>Ends it and checks the whole history.</summary>
    public async Task CheckAsync()
    {
        await StopAsync();
        Assert.True(History.AcknowledgedCount > 0, "nothing was acknowledged: the test tested nothing");
        ClusterView view = await _cluster.EvenAsync(History.Topic);
        await History.CheckAsync(p => KafkaConnection.OpenAsync(view.PortOf[view.Partitions[p].Leader]));
    }
}

/// <summary>What is printed of many durations.</summary>
internal static class Durations
{
    public static TimeSpan At(this IEnumerable<TimeSpan> times, double part)
    {
        List<TimeSpan> sorted = [.. times.Order()];
        return sorted[Math.Min((int)(sorted.Count * part), sorted.Count - 1)];
    }

    public static string Summary(this IReadOnlyCollection<TimeSpan> times) => times.Count == 0 ? "none"
        : $"median {times.At(0.5).TotalMilliseconds:0} ms, p99 {times.At(0.99).TotalMilliseconds:0} ms, longest {times.Max().TotalMilliseconds:0} ms ({times.Count})";
}
