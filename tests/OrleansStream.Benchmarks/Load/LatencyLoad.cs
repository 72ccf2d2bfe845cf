using System.Buffers;
using System.Collections.Concurrent;
using System.Diagnostics;
using OrleansStream.Benchmarks.Client;
using OrleansStream.Protocol;
using OrleansStream.Protocol.Messages;
using OrleansStream.Protocol.Records;

namespace OrleansStream.Benchmarks.Load;

/// <summary>
/// Records at a fixed rate into one partition, acks=all, as a producer with linger 0 sends them: a request takes all records that are due. The schedule
/// does not wait for the broker, and a record's latency counts from when it was due, so that a broker that stalls cannot hide the records which
/// would have come meanwhile. A consumer with a long-polling fetch takes the time from end to end.
/// </summary>
internal sealed record LatencyLoad(BrokerClient Broker, BenchTopic Topic)
{
    private const int Partition = 0;
    private const short TopicIds = 13;

    public int RecordsPerSecond { get; init; } = 10_000;
    public int RecordBytes { get; init; } = 1024;
    public int InFlight { get; init; } = 5;
    public double WarmUpSeconds { get; init; } = 2;
    public double Seconds { get; init; } = 10;

    /// <summary>Most records that one request takes, when they have piled up.</summary>
    public int MaxBatch { get; init; } = 500;

    /// <summary>
    /// A file that gets one line for each request, to find out when slow ones come and who made them slow; empty for none. Microseconds: since the start
    /// when its first record was due, and after that when the sender was awake, had room in flight, had sent it, had its answer, and had consumed it.
    /// </summary>
    public string TraceFile { get; init; } = "";

    /// <param name="Sustained">Whether the last answer came within a second of its due time; otherwise the broker does not keep up.</param>
    public sealed record Result(Percentiles Acknowledge, Percentiles EndToEnd, double RecordsPerRequest, bool Sustained);

    public Result Run() => new Run_(this).Go();

    private readonly record struct SentRequest(int First, int Count, long Awake, long Room, long Sent);

    private sealed class Run_
    {
        private readonly LatencyLoad _load;
        private readonly long[] _acknowledged;
        private readonly long[] _arrived;
        private readonly long _step;
        private readonly byte[][] _frames;
        private readonly short _produceVersion;
        private readonly short _fetchVersion;
        private readonly BrokerConnection _produce;
        private readonly BrokerConnection _fetch;
        private readonly SemaphoreSlim _room;
        private readonly BlockingCollection<(int First, int Count)> _sent = [];
        private readonly long _baseOffset;
        private long _start;
        private readonly List<SentRequest> _trace = [];
        private int _requests;
        private volatile Exception? _failure;

        public Run_(LatencyLoad load)
        {
            _load = load;
            int total = (int)((load.WarmUpSeconds + load.Seconds) * load.RecordsPerSecond);
            _acknowledged = new long[total];
            _arrived = new long[total];
            _step = 1_000_000_000L / load.RecordsPerSecond;
            _produceVersion = load.Broker.Version<ProduceRequest>(12);
            _fetchVersion = load.Broker.Version<FetchRequest>(16);
            _produce = load.Broker.Connect();
            _fetch = load.Broker.Connect();
            _room = new SemaphoreSlim(load.InFlight);
            _baseOffset = load.Broker.EndOffsets(load.Topic)[Partition];
            _frames = [.. Enumerable.Range(1, load.MaxBatch).Select(MakeFrame)];
        }

        public Result Go()
        {
            Thread[] threads = [new(() => Guard(Send)), new(() => Guard(Acknowledge)), new(() => Guard(Consume))];
            _start = Stopwatch.GetTimestamp() + 50_000_000;
            foreach (Thread thread in threads)
            {
                thread.IsBackground = true;
                thread.Start();
            }
            foreach (Thread thread in threads)
                thread.Join();
            _produce.Dispose();
            _fetch.Dispose();
            if (_failure is not null)
                throw new InvalidOperationException("Measuring latency failed: " + _failure.Message, _failure);

            if (_load.TraceFile.Length > 0)
                File.WriteAllLines(_load.TraceFile, _trace.Select(Describe).Prepend("first,count,due,awake,room,sent,acknowledged,consumed"));
            int warm = (int)(_load.WarmUpSeconds * _load.RecordsPerSecond);
            bool sustained = _acknowledged[^1] < 1_000_000_000;
            return new Result(
                Percentiles.Of(_acknowledged.AsSpan(warm)), Percentiles.Of(_arrived.AsSpan(warm)), (double)_acknowledged.Length / _requests, sustained);
        }

        private string Describe(SentRequest request)
        {
            long due = DueAt(request.First);
            long[] nanoseconds = [due - _start, request.Awake - due, request.Room - due, request.Sent - due, _acknowledged[request.First], _arrived[request.First]];
            return $"{request.First},{request.Count},{string.Join(',', nanoseconds.Select(n => n / 1000))}";
        }

        private byte[] MakeFrame(int count)
        {
            var batch = new ReadOnlySequence<byte>(Batches.Make(count, _load.RecordBytes));
            var partition = new ProduceRequest.PartitionProduceData { Index = Partition, Records = batch };
            var request = new ProduceRequest { Acks = -1, TimeoutMs = 30_000, TopicData = { new() { Name = _load.Topic.Name, PartitionData = { partition } } } };
            return _produce.Frame(request, _produceVersion, 1);
        }

        private long DueAt(int record) => _start + record * _step;

        private void Send()
        {
            Native.SharpenTimer();
            for (int next = 0; next < _acknowledged.Length && _failure is null;)
            {
                Native.SleepUntil(DueAt(next));
                long awake = Stopwatch.GetTimestamp();
                _room.Wait();
                long room = Stopwatch.GetTimestamp();
                long due = (room - _start) / _step + 1;
                int count = (int)Math.Clamp(due - next, 1, Math.Min(_load.MaxBatch, _acknowledged.Length - next));
                _sent.Add((next, count));
                _produce.Send(_frames[count - 1]);
                if (_load.TraceFile.Length > 0)
                    _trace.Add(new SentRequest(next, count, awake, room, Stopwatch.GetTimestamp()));
                next += count;
                _requests++;
            }
            _sent.CompleteAdding();
        }

        private void Acknowledge()
        {
            foreach ((int first, int count) in _sent.GetConsumingEnumerable())
            {
                var answer = BrokerConnection.Read<ProduceRequest, ProduceResponse>(_produce.Receive(), _produceVersion);
                long now = Stopwatch.GetTimestamp();
                ProduceResponse.PartitionProduceResponse partition = answer.Responses[0].PartitionResponses[0];
                BrokerClient.Check((ErrorCode)partition.ErrorCode, $"{_load.Topic.Name}: {partition.ErrorMessage}");
                if (partition.BaseOffset != _baseOffset + first)
                    throw new InvalidDataException($"Offset {partition.BaseOffset} was given instead of {_baseOffset + first}.");
                for (int i = first; i < first + count; i++)
                    _acknowledged[i] = now - DueAt(i);
                _room.Release();
            }
        }

        private void Consume()
        {
            int next = 0;
            while (next < _arrived.Length && _failure is null)
            {
                FetchResponse answer = _fetch.Call<FetchRequest, FetchResponse>(FetchAt(_baseOffset + next), _fetchVersion);
                long now = Stopwatch.GetTimestamp();
                BrokerClient.Check((ErrorCode)answer.ErrorCode, "the fetch");
                foreach (FetchResponse.PartitionData partition in answer.Responses.SelectMany(t => t.Partitions))
                {
                    BrokerClient.Check((ErrorCode)partition.ErrorCode, _load.Topic.Name);
                    ReadOnlySequence<byte> records = partition.Records ?? default;
                    while (RecordBatchHeader.TryRead(records, out RecordBatchHeader header) && header.SizeInBytes <= records.Length)
                    {
                        // A fetch may begin within a batch.
                        for (; next < _arrived.Length && next + _baseOffset <= header.LastOffset; next++)
                            _arrived[next] = now - DueAt(next);
                        records = records.Slice(header.SizeInBytes);
                    }
                }
            }
        }

        private FetchRequest FetchAt(long offset)
        {
            var topic = new FetchRequest.FetchTopic { Partitions = { new() { Partition = Partition, FetchOffset = offset, PartitionMaxBytes = 1 << 20 } } };
            if (_fetchVersion >= TopicIds)
                topic.TopicId = _load.Topic.Id;
            else
                topic.Topic = _load.Topic.Name;
            return new FetchRequest { MaxWaitMs = 500, MinBytes = 1, MaxBytes = 4 << 20, Topics = { topic } };
        }

        private void Guard(Action loop)
        {
            try
            {
                loop();
            }
            catch (Exception e)
            {
                _failure ??= e;
                _room.Release();
                _produce.Dispose();
                _fetch.Dispose();
            }
        }
    }
}
