using OrleansStream.Protocol;
using OrleansStream.Protocol.Records;
using OrleansStream.Storage.Logs;

namespace OrleansStream.Broker.Partitions;

/// <summary>A batch that a producer has appended: enough to know it again and to answer as the first time.</summary>
internal readonly record struct AppendedBatch(int FirstSequence, int LastSequence, long LastOffset, int OffsetDelta, long Timestamp)
{
    public long BaseOffset => LastOffset - OffsetDelta;
}

/// <summary>What the partition makes of a batch's producer id, epoch and sequence.</summary>
internal readonly record struct SequenceVerdict(ErrorCode Error, AppendedBatch? Duplicate = null, string? Message = null);

/// <summary>
/// The idempotent producers of a partition (KIP-98): of each the epoch and the last five batches. It follows from the log's batches alone, so
/// replay rebuilds it, from the snapshot that lies with sealed data. Guarded by the log's lock. The expiration, in milliseconds, may change while it runs.
/// </summary>
/// <remarks>
/// A producer that nothing is known of may begin with any sequence number, as in Kafka since 2.5 (KIP-360): its earlier batches may have expired or
/// been deleted. So UNKNOWN_PRODUCER_ID is never answered.
/// </remarks>
internal sealed class ProducerStates(TimeProvider time, Func<long> expirationMs) : ILogState
{
    /// <summary>As many as a producer may have in flight and still be idempotent (max.in.flight.requests.per.connection).</summary>
    internal const int BatchesKept = 5;

    private const int SweepAbove = 1024;

    private readonly Dictionary<long, Producer> _producers = [];
    private int _sweepAt = SweepAbove;

    public int Count => _producers.Count;

    private long NowMs => time.GetUtcNow().ToUnixTimeMilliseconds();

    /// <summary>Says what is to be done with a batch that a client sends; changes nothing.</summary>
    public SequenceVerdict Check(in RecordBatchHeader header)
    {
        if (!_producers.TryGetValue(header.ProducerId, out var producer) || Expired(producer))
            return default;
        if (header.ProducerEpoch < producer.Epoch)
        {
            return new SequenceVerdict(ErrorCode.InvalidProducerEpoch, null,
                $"Producer {header.ProducerId} has epoch {producer.Epoch}; the batch comes from the older epoch {header.ProducerEpoch}.");
        }
        if (header.ProducerEpoch > producer.Epoch)
        {
            return header.BaseSequence == 0 ? default : new SequenceVerdict(ErrorCode.OutOfOrderSequenceNumber, null,
                $"Producer {header.ProducerId} begins epoch {header.ProducerEpoch} with sequence number {header.BaseSequence} instead of 0.");
        }
        if (producer.Find(header.BaseSequence, header.LastSequence) is { } duplicate)
            return new SequenceVerdict(ErrorCode.None, duplicate);
        if (producer.Count == 0 || header.BaseSequence == RecordBatchHeader.AddSequence(producer.LastSequence, 1))
            return default;
        return new SequenceVerdict(ErrorCode.OutOfOrderSequenceNumber, null,
            $"Producer {header.ProducerId} sent sequence number {header.BaseSequence} where {RecordBatchHeader.AddSequence(producer.LastSequence, 1)} should follow.");
    }

    public void Apply(ReadOnlySpan<byte> batch)
    {
        var header = RecordBatchHeader.Read(batch);
        if (!header.HasProducerId)
            return;
        if (!_producers.TryGetValue(header.ProducerId, out var producer))
        {
            if (_producers.Count >= _sweepAt)
                Sweep();
            _producers[header.ProducerId] = producer = new Producer(header.ProducerEpoch);
        }
        else if (producer.Epoch != header.ProducerEpoch || Expired(producer))
        {
            producer.Begin(header.ProducerEpoch);
        }
        producer.LastAppendMs = NowMs;
        // The marker that ends a transaction has an epoch and no sequence.
        if (!header.IsControl)
            producer.Add(new AppendedBatch(header.BaseSequence, header.LastSequence, header.LastOffset, header.LastOffsetDelta, header.MaxTimestamp));
    }

    /// <summary>Those that are not expired, by id.</summary>
    public IReadOnlyList<ActiveProducer> Active()
    {
        List<ActiveProducer> active = [];
        foreach (var (id, producer) in _producers)
        {
            if (Expired(producer))
                continue;
            active.Add(producer.Count > 0
                ? new ActiveProducer(id, producer.Epoch, producer.LastSequence, producer[producer.Count - 1].Timestamp)
                : new ActiveProducer(id, producer.Epoch, -1, producer.LastAppendMs));
        }
        active.Sort(static (a, b) => a.ProducerId.CompareTo(b.ProducerId));
        return active;
    }

    private bool Expired(Producer producer) => NowMs - producer.LastAppendMs >= expirationMs();

    public byte[] Snapshot()
    {
        Sweep();
        return ProducerSnapshot.Write(_producers);
    }

    public void Load(ReadOnlySpan<byte> snapshot)
    {
        _producers.Clear();
        ProducerSnapshot.Read(snapshot, _producers);
    }

    /// <summary>Forgets the expired; the next sweep comes when their number has doubled, so that it costs little per append.</summary>
    private void Sweep()
    {
        List<long> expired = [];
        foreach (var (id, producer) in _producers)
        {
            if (Expired(producer))
                expired.Add(id);
        }
        foreach (var id in expired)
            _producers.Remove(id);
        _sweepAt = Math.Max(SweepAbove, _producers.Count * 2);
    }

    /// <summary>One producer id. The batches are a ring.</summary>
    internal sealed class Producer(short epoch)
    {
        private readonly AppendedBatch[] _batches = new AppendedBatch[BatchesKept];
        private int _first;

        public short Epoch { get; private set; } = epoch;
        public int Count { get; private set; }
        public long LastAppendMs { get; set; }

        public int LastSequence => this[Count - 1].LastSequence;

        /// <summary>Oldest first.</summary>
        public AppendedBatch this[int index] => _batches[(_first + index) % BatchesKept];

        public void Begin(short epoch)
        {
            Epoch = epoch;
            Count = 0;
            _first = 0;
        }

        public void Add(AppendedBatch batch)
        {
            if (Count < BatchesKept)
            {
                _batches[(_first + Count++) % BatchesKept] = batch;
                return;
            }
            _batches[_first] = batch;
            _first = (_first + 1) % BatchesKept;
        }

        public AppendedBatch? Find(int firstSequence, int lastSequence)
        {
            for (var i = 0; i < Count; i++)
            {
                if (this[i].FirstSequence == firstSequence && this[i].LastSequence == lastSequence)
                    return this[i];
            }
            return null;
        }
    }
}
