using System.Net.Sockets;
using OrleansStream.Cluster.EndToEnd.Silos;
using OrleansStream.EndToEnd.Wire;

namespace OrleansStream.Cluster.EndToEnd.History;

/// <summary>
/// Reads a partition as it grows, from its leader, whose epoch it names (KIP-320), so that a broker which leads no more cannot answer it; and tells the
/// history of everything it reads, and of every high watermark.
/// </summary>
internal sealed class FollowingReader
{
    private readonly SiloCluster _cluster;
    private readonly TopicHistory _history;
    private readonly int _partition;
    private readonly CancellationTokenSource _stopping = new();
    private readonly Task _loop;

    public FollowingReader(SiloCluster cluster, TopicHistory history, int partition)
    {
        (_cluster, _history, _partition) = (cluster, history, partition);
        _loop = Task.Run(RunAsync);
    }

    public async Task StopAsync()
    {
        await _stopping.CancelAsync();
        await _loop;
        _stopping.Dispose();
    }

    private async Task RunAsync()
    {
        long at = 0;
        int known = -1;
        for (int ask = _partition; !_stopping.IsCancellationRequested; ask++)
        {
            try
            {
                SiloProcess asked = _cluster.Silos[ask % _cluster.Silos.Count];
                ClusterView? view = await SiloCluster.TryViewAsync(asked.Port, _history.Topic);
                if (view is not null) _history.Shown(view);
                // As Kafka's consumer: Metadata of an epoch below the one it knows are old.
                if (view is null || _partition >= view.Partitions.Count || view.Partitions[_partition].LeaderEpoch < Math.Max(known, 0)
                    || !view.PortOf.TryGetValue(view.Partitions[_partition].Leader, out int port))
                {
                    await Task.Delay(50);
                    continue;
                }
                known = view.Partitions[_partition].LeaderEpoch;
                await using KafkaConnection connection = await KafkaConnection.OpenAsync(port);
                connection.Patience = TimeSpan.FromSeconds(5);
                while (!_stopping.IsCancellationRequested)
                {
                    KafkaRequests.FetchAnswer answer = await connection.FetchAsync(_history.Topic, _partition, at, waitMs: 200, leaderEpoch: known);
                    if (answer.Error != 0) break;
                    _history.Served(_partition, known, answer.HighWatermark);
                    at = _history.Read(_partition, at, answer.Records);
                }
            }
            catch (Exception e) when (e is SocketException or IOException or TimeoutException)
            {
                // Its broker died or hangs: asked anew.
            }
            await Task.Delay(20);
        }
    }
}
