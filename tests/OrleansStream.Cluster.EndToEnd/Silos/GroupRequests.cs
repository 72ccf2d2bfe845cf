using System.Net.Sockets;
using OrleansStream.EndToEnd.Wire;

namespace OrleansStream.Cluster.EndToEnd.Silos;

/// <summary>Requests about groups, answered as any Kafka client gets them.</summary>
internal static class GroupRequests
{
    private const short OffsetFetch = 9, FindCoordinator = 10;

    /// <summary>The broker that coordinates a group; -1 where nobody does now (FindCoordinator 0).</summary>
    public static async Task<int> FindCoordinatorAsync(this KafkaConnection connection, string group)
    {
        WireReader answer = await connection.AskAsync(FindCoordinator, 0, new WireWriter().Text(group));
        return answer.Int16() == 0 ? answer.Int32() : -1;
    }

    /// <summary>All committed offsets of a group, by topic and partition, or the error instead (OffsetFetch 2).</summary>
    public static async Task<(short Error, Dictionary<(string Topic, int Partition), long> Offsets)> FetchOffsetsAsync(this KafkaConnection connection, string group)
    {
        WireReader answer = await connection.AskAsync(OffsetFetch, 2, new WireWriter().Text(group).Int32(-1));
        var offsets = new Dictionary<(string, int), long>();
        answer.Array(t =>
        {
            string topic = t.Text()!;
            return t.Array(p =>
            {
                offsets[(topic, p.Int32())] = p.Int64();
                p.Text();
                return p.Int16();
            });
        });
        return (answer.Int16(), offsets);
    }

    /// <summary>The group's coordinator, as soon as one of the running silos names one that runs.</summary>
    public static async Task<SiloProcess> CoordinatorAsync(this SiloCluster cluster, string group, CancellationToken cancel = default)
    {
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(cancel);
        patience.CancelAfter(TimeSpan.FromSeconds(60));
        while (true)
        {
            foreach (SiloProcess silo in cluster.Running)
            {
                try
                {
                    await using KafkaConnection connection = await KafkaConnection.OpenAsync(silo.Port);
                    connection.Patience = TimeSpan.FromSeconds(5);
                    int node = await connection.FindCoordinatorAsync(group);
                    if (cluster.Running.FirstOrDefault(s => s.NodeId == node) is { } coordinator) return coordinator;
                }
                catch (Exception e) when (e is SocketException or IOException or TimeoutException)
                {
                    // Another may know.
                }
            }
            await Task.Delay(20, patience.Token);
        }
    }
}
