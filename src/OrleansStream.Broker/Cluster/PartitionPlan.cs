using OrleansStream.Storage;

namespace OrleansStream.Broker.Cluster;

/// <summary>A broker that may lead partitions.</summary>
public readonly record struct PlanBroker(int NodeId, string? Rack);

/// <summary>A topic and who leads each of its partitions now, -1 for nobody.</summary>
public readonly record struct PlanTopic(Guid Id, IReadOnlyList<int> Leaders);

/// <summary>Who leads what, given who lives: even by count, and what stays where it is stays.</summary>
public static class PartitionPlan
{
    public static IReadOnlyList<KeyValuePair<PartitionId, int>> Make(IReadOnlyList<PlanTopic> topics, IReadOnlyList<PlanBroker> brokers)
    {
        var load = brokers.ToDictionary(static b => b.NodeId, static _ => 0);
        var total = topics.Sum(static t => t.Leaders.Count);
        var most = (total + brokers.Count - 1) / brokers.Count;
        List<KeyValuePair<PartitionId, int>> plan = [];
        List<PartitionId> free = [];
        foreach (var topic in topics.OrderBy(static t => t.Id))
        {
            for (var i = 0; i < topic.Leaders.Count; i++)
            {
                var id = new PartitionId(topic.Id, i);
                var leader = topic.Leaders[i];
                if (load.TryGetValue(leader, out var count) && count < most)
                {
                    load[leader] = count + 1;
                    plan.Add(new(id, leader));
                }
                else
                {
                    free.Add(id);
                }
            }
        }
        foreach (var id in free)
        {
            var target = load.OrderBy(static l => l.Value).ThenBy(static l => l.Key).First().Key;
            load[target]++;
            plan.Add(new(id, target));
        }
        return plan;
    }
}
