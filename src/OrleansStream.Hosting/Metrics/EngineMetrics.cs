using System.Diagnostics.Metrics;
using OrleansStream.Broker.Engine;

namespace OrleansStream.Hosting.Metrics;

/// <summary>What the engine can be asked for: topics and partitions.</summary>
internal sealed class EngineMetrics : IDisposable
{
    private readonly Meter _meter = new("OrleansStream.Engine");

    public EngineMetrics(BrokerEngine engine)
    {
        _meter.CreateObservableGauge("ostream.topics", () => engine.Cluster.TopicsByName.Count, null, "Topics");
        _meter.CreateObservableGauge(
            "ostream.partitions", () => engine.Cluster.TopicsByName.Values.Sum(static t => t.Partitions.Count), null, "Partitions of all topics");
    }

    public void Dispose() => _meter.Dispose();
}
