using OrleansStream.Silo.Hosting;

namespace OrleansStream.Silo.Cluster;

/// <summary>
/// Tells the grains of partitions that their topic was deleted: kept alive, they would outlive it. What this silo's catalogue says counts, which it reads from
/// the store: a controller that has just begun may not have heard yet of a topic that is there. Thread-safe.
/// </summary>
internal sealed class TopicDeletions(SiloEngine engine)
{
    private readonly Lock _lock = new();
    private readonly Dictionary<Guid, CancellationTokenSource> _awaited = [];

    public bool Has(Guid topicId) => !engine.Engine.Cluster.TopicsById.ContainsKey(topicId);

    /// <summary>Cancelled when the topic is deleted; at once where there is none.</summary>
    public CancellationToken Of(Guid topicId)
    {
        lock (_lock)
        {
            if (Has(topicId))
                return new CancellationToken(canceled: true);
            if (!_awaited.TryGetValue(topicId, out CancellationTokenSource? deletion))
                _awaited.Add(topicId, deletion = new CancellationTokenSource());
            return deletion.Token;
        }
    }

    /// <summary>To be called after topics have changed.</summary>
    public void Look()
    {
        List<CancellationTokenSource> deleted = [];
        lock (_lock)
        {
            foreach ((Guid topicId, CancellationTokenSource deletion) in _awaited)
            {
                if (Has(topicId))
                {
                    deleted.Add(deletion);
                    _awaited.Remove(topicId);
                }
            }
        }
        foreach (CancellationTokenSource deletion in deleted)
        {
            deletion.Cancel();
            deletion.Dispose();
        }
    }
}
