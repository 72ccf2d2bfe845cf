using OrleansStream.EndToEnd.Wire;

namespace OrleansStream.Cluster.EndToEnd.Silos;

/// <summary>A partition as Metadata shows it; -1: no leader, or none that serves yet.</summary>
internal readonly record struct ShownPartition(int Index, int Leader, int LeaderEpoch);

/// <summary>What one broker shows of the cluster and of one topic (Metadata, version 7).</summary>
/// <param name="Partitions">The topic's.</param>
/// <param name="All">Those of all topics, also of internal ones: it is all together that a cluster spreads.</param>
internal sealed record ClusterView(
    IReadOnlyDictionary<int, int> PortOf, int ControllerId, short TopicError, IReadOnlyList<ShownPartition> Partitions, IReadOnlyList<ShownPartition> All)
{
    private const short UnknownTopic = 3;

    public static async Task<ClusterView> AskAsync(KafkaConnection connection, string topic)
    {
        WireReader answer = await connection.AskAsync(KafkaRequests.Metadata, 7, new WireWriter().Int32(-1).Int8(0));
        answer.Int32();
        var brokers = answer.Array(r => { int id = r.Int32(); r.Text(); int port = r.Int32(); r.Text(); return (id, port); });
        answer.Text();
        int controller = answer.Int32();
        var topics = answer.Array(r =>
        {
            short error = r.Int16();
            string? name = r.Text();
            r.Int8();
            return (error, name, partitions: r.Array(p =>
            {
                p.Int16();
                var shown = new ShownPartition(p.Int32(), p.Int32(), p.Int32());
                for (int lists = 0; lists < 3; lists++) p.Array(static x => x.Int32());
                return shown;
            }));
        });
        var ours = topics.FirstOrDefault(t => t.name == topic, (error: UnknownTopic, name: topic, partitions: []));
        return new ClusterView(
            brokers.ToDictionary(static b => b.id, static b => b.port), controller, ours.error, [.. ours.partitions.OrderBy(static p => p.Index)],
            [.. topics.OrderBy(static t => t.name, StringComparer.Ordinal).SelectMany(static t => t.partitions.OrderBy(static p => p.Index))]);
    }

    public IEnumerable<int> LedBy(int node) => Partitions.Where(p => p.Leader == node).Select(static p => p.Index);

    /// <summary>Every partition of every topic is served, by so many brokers, and none leads two more than another.</summary>
    public bool IsEven(int brokers)
    {
        if (PortOf.Count != brokers || TopicError != 0 || All.Any(static p => p.Leader < 0 || p.LeaderEpoch < 0)) return false;
        List<int> counts = [.. PortOf.Keys.Select(id => All.Count(p => p.Leader == id))];
        return counts.Max() - counts.Min() <= 1;
    }

    public override string ToString() =>
        $"brokers {string.Join(',', PortOf.Keys.Order())}, controller {ControllerId}, error {TopicError}, partitions led {string.Join(' ', PortOf.Keys.Order().Select(id => $"{id}:{All.Count(p => p.Leader == id)}"))}, leaders {string.Join(' ', Partitions.Select(static p => $"{p.Index}:{p.Leader}@{p.LeaderEpoch}"))}";
}
