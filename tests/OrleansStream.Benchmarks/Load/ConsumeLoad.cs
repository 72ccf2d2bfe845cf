using System.Buffers;
using System.Diagnostics;
using OrleansStream.Benchmarks.Client;
using OrleansStream.Protocol;
using OrleansStream.Protocol.Messages;
using OrleansStream.Protocol.Records;

namespace OrleansStream.Benchmarks.Load;

/// <summary>
/// Reads a topic from its beginning to where it ended when the load began, in large fetches, one in flight on each connection; throws the bytes away,
/// but walks the batches: every offset has to come once and in order.
/// </summary>
internal sealed record ConsumeLoad(BrokerClient Broker, BenchTopic Topic)
{
    // From here on a fetch names its topics by id.
    private const short TopicIds = 13;

    public int Connections { get; init; } = 2;
    public int FetchBytes { get; init; } = 8 << 20;
    public int PartitionBytes { get; init; } = 4 << 20;

    /// <summary>Most bytes to read, over all partitions; the rest is left.</summary>
    public long MaxBytes { get; init; } = long.MaxValue;

    /// <summary>Bytes of record batches, as they came.</summary>
    public sealed record Result(long Bytes, long Records, double Seconds)
    {
        public double MegabytesPerSecond => Bytes / 1e6 / Seconds;
    }

    public Result Run()
    {
        long[] ends = Broker.EndOffsets(Topic);
        short version = Broker.Version<FetchRequest>(16);
        int lanes = Math.Min(Connections, Topic.Used.Count);
        var readers = Enumerable.Range(0, lanes).Select(i => new Lane(this, version, ends, i, lanes)).ToList();
        long start = Stopwatch.GetTimestamp();
        readers.ForEach(r => r.Start());
        readers.ForEach(r => r.Join());
        return new Result(readers.Sum(r => r.Bytes), readers.Sum(r => r.Records), Stopwatch.GetElapsedTime(start).TotalSeconds);
    }

    private sealed class Lane
    {
        private readonly ConsumeLoad _load;
        private readonly short _version;
        private readonly long[] _ends;
        private readonly SortedDictionary<int, long> _next = [];
        private readonly BrokerConnection _connection;
        private readonly Thread _thread;
        private Exception? _failure;

        public Lane(ConsumeLoad load, short version, long[] ends, int index, int lanes)
        {
            _load = load;
            _version = version;
            _ends = ends;
            foreach (int p in load.Topic.Used.Where((_, at) => at % lanes == index))
                if (ends[p] > 0)
                    _next[p] = 0;
            _connection = load.Broker.Connect();
            _thread = new Thread(Guarded) { Name = "fetch", IsBackground = true };
            MaxBytes = load.MaxBytes / lanes;
        }

        public long Bytes { get; private set; }
        public long Records { get; private set; }
        private long MaxBytes { get; }

        public void Start() => _thread.Start();

        public void Join()
        {
            _thread.Join();
            _connection.Dispose();
            if (_failure is not null)
                throw new InvalidOperationException("Consuming failed: " + _failure.Message, _failure);
        }

        private void Guarded()
        {
            try
            {
                while (_next.Count > 0 && Bytes < MaxBytes)
                    FetchOnce();
            }
            catch (Exception e)
            {
                _failure = e;
            }
        }

        private void FetchOnce()
        {
            FetchResponse answer = _connection.Call<FetchRequest, FetchResponse>(Request(), _version);
            BrokerClient.Check((ErrorCode)answer.ErrorCode, "the fetch");
            foreach (FetchResponse.PartitionData partition in answer.Responses.SelectMany(t => t.Partitions))
            {
                BrokerClient.Check((ErrorCode)partition.ErrorCode, $"{_load.Topic.Name}-{partition.PartitionIndex}");
                Walk(partition);
            }
        }

        private FetchRequest Request()
        {
            var topic = new FetchRequest.FetchTopic();
            if (_version >= TopicIds)
                topic.TopicId = _load.Topic.Id;
            else
                topic.Topic = _load.Topic.Name;
            foreach ((int index, long offset) in _next)
                topic.Partitions.Add(new() { Partition = index, FetchOffset = offset, PartitionMaxBytes = _load.PartitionBytes });
            return new FetchRequest { MaxWaitMs = 500, MinBytes = 1, MaxBytes = _load.FetchBytes, Topics = { topic } };
        }

        private void Walk(FetchResponse.PartitionData partition)
        {
            ReadOnlySequence<byte> records = partition.Records ?? default;
            if (!_next.TryGetValue(partition.PartitionIndex, out long next))
                return;
            while (RecordBatchHeader.TryRead(records, out RecordBatchHeader header) && header.SizeInBytes <= records.Length)
            {
                if (header.BaseOffset != next)
                    throw new InvalidDataException($"{_load.Topic.Name}-{partition.PartitionIndex}: offset {header.BaseOffset} came instead of {next}.");
                next = header.NextOffset;
                Records += header.RecordCount;
                Bytes += header.SizeInBytes;
                records = records.Slice(header.SizeInBytes);
            }
            if (next >= _ends[partition.PartitionIndex])
                _next.Remove(partition.PartitionIndex);
            else
                _next[partition.PartitionIndex] = next;
        }
    }
}
