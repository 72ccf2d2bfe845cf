using System.Diagnostics;
using System.Net.Sockets;
using OrleansStream.Cluster.EndToEnd.Silos;
using OrleansStream.EndToEnd.Wire;

namespace OrleansStream.Cluster.EndToEnd.History;

/// <summary>How one batch of records came to be acknowledged: in <see cref="Stopwatch"/> ticks, and what stood in between.</summary>
/// <param name="Attempted">When the request that was answered with success was sent.</param>
internal readonly record struct Delivery(long Sent, long Attempted, long Answered, IReadOnlyList<string> Errors)
{
    public TimeSpan Latency => Stopwatch.GetElapsedTime(Sent, Answered);
}

/// <summary>
/// An idempotent producer of one partition that does not rest: one batch at a time, sent again until it is answered, wherever Metadata says that the leader is.
/// Its pause before a retry is that of Kafka's clients.
/// </summary>
internal sealed class SteadyProducer
{
    private const short NotLeader = 6;

    // What Kafka's producer retries: Errors.java, RetriableException.
    private static readonly short[] s_retriable = [3, 5, NotLeader, 7, 13, 19, 20, 56, 74, 75, 100];
    private static readonly TimeSpan DeliveryAtMost = TimeSpan.FromSeconds(120);
    private static readonly TimeSpan RetryBackoff = TimeSpan.FromMilliseconds(100);

    private readonly SiloCluster _cluster;
    private readonly TopicHistory _history;
    private readonly int _partition;
    private readonly int _id;
    private readonly TimeSpan _requestAtMost;
    private readonly CancellationTokenSource _stopping = new();
    private readonly Lock _lock = new();
    private readonly List<Delivery> _deliveries = [];
    private readonly Task _loop;
    private TaskCompletionSource _delivered = NewSignal();
    private KafkaConnection? _connection;
    private int _asks;

    /// <param name="requestAtMost">How long it waits for an answer before it takes the connection for broken.</param>
    public SteadyProducer(SiloCluster cluster, TopicHistory history, int partition, int id, TimeSpan requestAtMost)
    {
        (_cluster, _history, _partition, _id, _requestAtMost) = (cluster, history, partition, id, requestAtMost);
        history.Orders(id);
        _loop = Task.Run(RunAsync);
    }

    public int Partition => _partition;

    public IReadOnlyList<Delivery> Deliveries { get { lock (_lock) return [.. _deliveries]; } }

    /// <summary>The first delivery whose request was sent after a moment.</summary>
    public async Task<Delivery> DeliversAfterAsync(long moment)
    {
        while (true)
        {
            Task next;
            lock (_lock)
            {
                int at = _deliveries.FindLastIndex(d => d.Attempted <= moment) + 1;
                if (at < _deliveries.Count) return _deliveries[at];
                next = _delivered.Task;
            }
            if (await Task.WhenAny(next, _loop) == _loop) await _loop;
            await next.WaitAsync(DeliveryAtMost);
        }
    }

    /// <summary>Ends after the batch that is on its way.</summary>
    public async Task StopAsync()
    {
        await _stopping.CancelAsync();
        await _loop;
        if (_connection is not null) await _connection.DisposeAsync();
        _stopping.Dispose();
    }

    private async Task RunAsync()
    {
        (long id, short epoch) = await InitAsync();
        var random = new Random(_id);
        for (int index = 0; !_stopping.IsCancellationRequested;)
        {
            Payload[] records = [.. Enumerable.Range(index, random.Next(1, 6)).Select(i => new Payload(_id, i))];
            byte[] batch = RecordBatch.Build([.. records.Select(static r => r.ToRecord())], id, epoch, index);
            if (await DeliverAsync(batch) is not { } offset) return;
            _history.Acknowledged(_partition, offset, records);
            index += records.Length;
            await Task.Delay(3);
        }
    }

    private async Task<long?> DeliverAsync(byte[] batch)
    {
        long sent = Stopwatch.GetTimestamp();
        List<string> errors = [];
        while (true)
        {
            long attempted = Stopwatch.GetTimestamp();
            string error;
            try
            {
                _connection ??= await ConnectAsync();
                KafkaRequests.ProduceAnswer answer = await _connection.ProduceAsync(_history.Topic, _partition, batch);
                if (answer.Error == 0)
                {
                    lock (_lock)
                    {
                        _deliveries.Add(new Delivery(sent, attempted, Stopwatch.GetTimestamp(), errors));
                        _delivered.TrySetResult();
                        _delivered = NewSignal();
                    }
                    return answer.BaseOffset;
                }
                error = $"error {answer.Error}";
                if (!s_retriable.Contains(answer.Error))
                {
                    _history.Violated($"partition {_partition}: a producer was answered {error} {answer.Message}, which it cannot retry, after {string.Join(", ", errors)}");
                    return null;
                }
            }
            catch (Exception e) when (e is SocketException or IOException or TimeoutException)
            {
                error = e.Message;
            }
            errors.Add(error);
            if (_connection is not null) await _connection.DisposeAsync();
            _connection = null;
            if (Stopwatch.GetElapsedTime(sent) > DeliveryAtMost)
            {
                _history.Violated($"partition {_partition}: not delivered in {DeliveryAtMost.TotalSeconds} s: {string.Join(", ", errors.TakeLast(5))}");
                return null;
            }
            await Task.Delay(RetryBackoff);
        }
    }

    /// <summary>To the leader, as the next broker shows it that answers.</summary>
    private async Task<KafkaConnection> ConnectAsync()
    {
        SiloProcess asked = _cluster.Silos[(_id + _asks++) % _cluster.Silos.Count];
        ClusterView view = await SiloCluster.TryViewAsync(asked.Port, _history.Topic) ?? throw new IOException($"broker {asked.NodeId} shows nothing");
        _history.Shown(view);
        int leader = _partition < view.Partitions.Count ? view.Partitions[_partition].Leader : -1;
        if (!view.PortOf.TryGetValue(leader, out int port)) throw new IOException($"broker {asked.NodeId} shows no leader");
        // It showed what is true: the next time it is asked first.
        _asks--;
        KafkaConnection connection = await KafkaConnection.OpenAsync(port);
        connection.Patience = _requestAtMost;
        return connection;
    }

    private async Task<(long Id, short Epoch)> InitAsync()
    {
        await using KafkaConnection connection = await KafkaConnection.OpenAsync(_cluster.Running.First().Port);
        return await connection.InitProducerIdAsync();
    }

    private static TaskCompletionSource NewSignal() => new(TaskCreationOptions.RunContinuationsAsynchronously);
}
