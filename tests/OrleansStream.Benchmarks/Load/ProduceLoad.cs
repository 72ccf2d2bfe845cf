using System.Buffers;
using System.Diagnostics;
using OrleansStream.Benchmarks.Client;
using OrleansStream.Protocol;
using OrleansStream.Protocol.Messages;

namespace OrleansStream.Benchmarks.Load;

/// <summary>
/// Sends the same batch over and over, acks=all, one partition a request, several requests in flight on each connection, and checks every answer.
/// The partitions take turns.
/// </summary>
internal sealed record ProduceLoad(BrokerClient Broker, BenchTopic Topic)
{
    private const short AcksAll = -1;

    public int Connections { get; init; } = 2;
    public int InFlight { get; init; } = 5;
    public int RecordBytes { get; init; } = 1024;
    public int RequestBytes { get; init; } = 1 << 20;

    /// <summary>What was sent, in bytes of record batches, and how fast, in MB (10^6 bytes) a second.</summary>
    public sealed record Result(long Bytes, long Records, double Seconds)
    {
        public double MegabytesPerSecond => Bytes / 1e6 / Seconds;
    }

    public Result Run(long bytes)
    {
        int count = Batches.CountFor(RequestBytes, RecordBytes);
        byte[] batch = Batches.Make(count, RecordBytes);
        long requests = Math.Max(Connections, bytes / batch.Length);
        short version = Broker.Version<ProduceRequest>(12);
        var turns = new Turns(requests);
        var lanes = Enumerable.Range(0, Connections).Select(_ => new Lane(this, batch, version, turns)).ToList();
        long start = Stopwatch.GetTimestamp();
        lanes.ForEach(l => l.Start());
        lanes.ForEach(l => l.Join());
        double seconds = Stopwatch.GetElapsedTime(start).TotalSeconds;
        return new Result(requests * batch.Length, requests * count, seconds);
    }

    /// <summary>Hands out numbers until all are given.</summary>
    private sealed class Turns(long count)
    {
        private long _taken;

        public bool TryTake(out long turn)
        {
            turn = Interlocked.Increment(ref _taken) - 1;
            return turn < count;
        }
    }

    /// <summary>A connection with a thread that sends and one that receives.</summary>
    private sealed class Lane
    {
        private readonly ProduceLoad _load;
        private readonly short _version;
        private readonly Turns _turns;
        private readonly byte[][] _frames;
        private readonly BrokerConnection _connection;
        private readonly SemaphoreSlim _room;
        private readonly SemaphoreSlim _sent = new(0);
        private readonly Thread _sender;
        private readonly Thread _receiver;
        private volatile Exception? _failure;
        private long _total = long.MaxValue;

        public Lane(ProduceLoad load, byte[] batch, short version, Turns turns)
        {
            _load = load;
            _version = version;
            _turns = turns;
            _connection = load.Broker.Connect();
            _room = new SemaphoreSlim(load.InFlight);
            _frames = [.. load.Topic.Used.Select(p => _connection.Frame(Request(load.Topic, p, batch), version, 1))];
            _sender = new Thread(() => Guard(Send)) { Name = "send", IsBackground = true };
            _receiver = new Thread(() => Guard(Receive)) { Name = "receive", IsBackground = true };
        }

        public void Start()
        {
            _sender.Start();
            _receiver.Start();
        }

        public void Join()
        {
            _sender.Join();
            _receiver.Join();
            _connection.Dispose();
            if (_failure is not null)
                throw new InvalidOperationException("Producing failed: " + _failure.Message, _failure);
        }

        private static ProduceRequest Request(BenchTopic topic, int partition, byte[] batch) => new()
        {
            Acks = AcksAll,
            TimeoutMs = 30_000,
            TopicData = { new() { Name = topic.Name, PartitionData = { new() { Index = partition, Records = new ReadOnlySequence<byte>(batch) } } } },
        };

        private void Send()
        {
            long sent = 0;
            while (_failure is null && _turns.TryTake(out long turn))
            {
                _room.Wait();
                _connection.Send(_frames[turn % _frames.Length]);
                sent++;
                _sent.Release();
            }
            Volatile.Write(ref _total, sent);
            _sent.Release();
        }

        private void Receive()
        {
            for (long received = 0; ; received++)
            {
                _sent.Wait();
                if (_failure is not null || received == Volatile.Read(ref _total))
                    return;
                var answer = BrokerConnection.Read<ProduceRequest, ProduceResponse>(_connection.Receive(), _version);
                ProduceResponse.PartitionProduceResponse partition = answer.Responses[0].PartitionResponses[0];
                BrokerClient.Check((ErrorCode)partition.ErrorCode, $"{_load.Topic.Name}-{partition.Index}: {partition.ErrorMessage}");
                _room.Release();
            }
        }

        private void Guard(Action loop)
        {
            try
            {
                loop();
            }
            catch (Exception e)
            {
                // Wakes the other thread, which then sees the failure.
                _failure ??= e;
                _room.Release();
                _sent.Release();
            }
        }
    }
}
