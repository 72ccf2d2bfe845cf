using System.Buffers.Binary;
using OrleansStream.Cluster.EndToEnd.Silos;
using OrleansStream.EndToEnd.Wire;

namespace OrleansStream.Cluster.EndToEnd.History;

/// <summary>
/// All that clients were told of a topic, from all of them, in one place, and whether it can be true: I1 (acknowledged records are there, with their bytes),
/// I2 (an offset has one content, in all reads), I3 (the high watermark does not go back, leader epochs only grow), I4 (a leader epoch has one owner).
/// Thread-safe.
/// </summary>
internal sealed class TopicHistory
{
    private sealed class PartitionHistory
    {
        public readonly Dictionary<long, Payload> Contents = [];
        public readonly Dictionary<long, int> EpochOf = [];
        public readonly HashSet<long> Acknowledged = [];
        public readonly HashSet<Payload> AcknowledgedSomewhere = [];
        public readonly Dictionary<int, int> OwnerOf = [];
        public long HighWatermark;
        public int ServedEpoch = -1;
    }

    private readonly Lock _lock = new();
    private readonly PartitionHistory[] _partitions;
    private readonly HashSet<int> _ordered = [];
    private readonly Dictionary<int, int> _spread = [];
    private readonly List<string> _violations = [];
    private readonly Func<WireRecord, Payload?> _parse;

    /// <param name="parse">What the topic's producers send; null where these bytes are not theirs. By default it is the value, and <see cref="Payload.ToBytes"/>.</param>
    public TopicHistory(string topic, int partitions, Func<WireRecord, Payload?>? parse = null)
    {
        Topic = topic;
        _parse = parse ?? (static record => Payload.Parse(record.Value!.Value.Span));
        _partitions = [.. Enumerable.Range(0, partitions).Select(static _ => new PartitionHistory())];
    }

    public string Topic { get; }
    public int Partitions => _partitions.Length;
    public IReadOnlyList<string> Violations { get { lock (_lock) return [.. _violations]; } }
    public int AcknowledgedCount { get { lock (_lock) return _partitions.Sum(static p => p.Acknowledged.Count); } }

    public void Violated(string what)
    {
        lock (_lock)
        {
            // The first ones tell; a broken log breaks at every record.
            if (_violations.Count < 20 && !_violations.Contains(what)) _violations.Add(what);
        }
    }

    /// <summary>This producer's records must be in the log without a gap, once each and in their order: it retries, idempotently, until it is answered.</summary>
    public void Orders(int producer) { lock (_lock) _ordered.Add(producer); }

    /// <summary>The same of one that writes to all partitions: its first so many records must be there, once each, in their order in each partition, and no others.</summary>
    public void Spreads(int producer, int records) { lock (_lock) _spread[producer] = records; }

    public void Acknowledged(int partition, long baseOffset, IReadOnlyList<Payload> records)
    {
        lock (_lock)
        {
            for (int i = 0; i < records.Count; i++)
            {
                if (!_partitions[partition].Acknowledged.Add(baseOffset + i))
                    Violated($"partition {partition}: offset {baseOffset + i} was acknowledged twice, the second time for {records[i]}");
                Holds(partition, baseOffset + i, records[i], "acknowledged");
            }
        }
    }

    /// <summary>The same of a client that was not told where the record is, as it had sent it twice.</summary>
    public void AcknowledgedSomewhere(int partition, Payload record) { lock (_lock) _partitions[partition].AcknowledgedSomewhere.Add(record); }

    /// <summary>A client has read this; null: bytes that nobody sent.</summary>
    public void Read(int partition, long offset, Payload? record, string who)
    {
        lock (_lock)
        {
            if (record is { } payload) Holds(partition, offset, payload, $"read by {who}");
            else Violated($"partition {partition}: at offset {offset} {who} read what nobody sent");
        }
    }

    /// <summary>Takes in what a fetch was answered with. Answers the offset after the last record.</summary>
    public long Read(int partition, long from, ReadOnlyMemory<byte> batches)
    {
        long next = from;
        lock (_lock)
        {
            while (batches.Length >= RecordBatch.HeaderBytes && 12 + BinaryPrimitives.ReadInt32BigEndian(batches.Span[8..]) is var length && length <= batches.Length)
            {
                int epoch = BinaryPrimitives.ReadInt32BigEndian(batches.Span[12..]);
                foreach (WireRecord record in RecordBatch.Read(batches[..length]))
                {
                    if (record.Offset < from) continue;
                    if (record.Offset != next) Violated($"partition {partition}: offset {record.Offset} follows {next - 1}");
                    next = record.Offset + 1;
                    if (!_partitions[partition].EpochOf.TryAdd(record.Offset, epoch) && _partitions[partition].EpochOf[record.Offset] != epoch)
                        Violated($"partition {partition}: offset {record.Offset} has the epochs {_partitions[partition].EpochOf[record.Offset]} and {epoch}");
                    if (_parse(record) is { } payload) Holds(partition, record.Offset, payload, "read");
                    else Violated($"partition {partition}: offset {record.Offset} holds bytes that nobody sent");
                }
                batches = batches[length..];
            }
        }
        return next;
    }

    /// <summary>A leader has served under an epoch and said where its high watermark is: both after whatever this method was told before.</summary>
    public void Served(int partition, int epoch, long highWatermark)
    {
        lock (_lock)
        {
            PartitionHistory there = _partitions[partition];
            if (highWatermark < there.HighWatermark) Violated($"partition {partition}: the high watermark went from {there.HighWatermark} (epoch {there.ServedEpoch}) to {highWatermark} (epoch {epoch})");
            if (epoch < there.ServedEpoch) Violated($"partition {partition}: served under epoch {epoch} after {there.ServedEpoch}");
            (there.HighWatermark, there.ServedEpoch) = (Math.Max(there.HighWatermark, highWatermark), Math.Max(there.ServedEpoch, epoch));
        }
    }

    public void Shown(ClusterView view)
    {
        lock (_lock)
        {
            foreach (ShownPartition partition in view.Partitions.Where(p => p.LeaderEpoch >= 0 && p.Leader >= 0 && p.Index < _partitions.Length))
            {
                if (!_partitions[partition.Index].OwnerOf.TryAdd(partition.LeaderEpoch, partition.Leader) && _partitions[partition.Index].OwnerOf[partition.LeaderEpoch] is var owner && owner != partition.Leader)
                    Violated($"partition {partition.Index}: epoch {partition.LeaderEpoch} belongs to the brokers {owner} and {partition.Leader}");
            }
        }
    }

    /// <summary>Reads every partition from its start to its end, and holds everything against everything.</summary>
    public async Task CheckAsync(Func<int, Task<KafkaConnection>> connect)
    {
        for (int partition = 0; partition < _partitions.Length; partition++)
        {
            await using KafkaConnection connection = await connect(partition);
            long at = 0, end = long.MaxValue;
            while (at < end)
            {
                KafkaRequests.FetchAnswer answer = await connection.FetchAsync(Topic, partition, at);
                if (answer.Error != 0) throw new InvalidOperationException($"Fetch {Topic}-{partition} at {at}: error {answer.Error}");
                at = Read(partition, at, answer.Records);
                end = answer.HighWatermark;
            }
            CheckLog(partition, end);
        }
        CheckSpread();
        Assert.True(Violations.Count == 0, string.Join('\n', Violations));
    }

    /// <summary>Holds what was read of the topic's only partition, which ends there, against all that was told.</summary>
    internal void CheckOnly(long end)
    {
        CheckLog(0, end);
        CheckSpread();
    }

    private void CheckLog(int partition, long end)
    {
        lock (_lock)
        {
            PartitionHistory there = _partitions[partition];
            if (end < there.HighWatermark) Violated($"partition {partition}: ends at {end}, its high watermark was {there.HighWatermark}");
            foreach (long offset in there.Acknowledged.Where(o => o >= end).Order().Take(3)) Violated($"partition {partition}: acknowledged offset {offset} is beyond the end {end}");
            var last = new Dictionary<int, int>();
            var seen = new HashSet<Payload>();
            int epoch = -1;
            for (long offset = 0; offset < end; offset++)
            {
                if (!there.Contents.TryGetValue(offset, out Payload payload) || !there.EpochOf.TryGetValue(offset, out int now))
                {
                    Violated($"partition {partition}: offset {offset} was never read");
                    return;
                }
                if (now < epoch) Violated($"partition {partition}: offset {offset} has epoch {now} after {epoch}");
                epoch = now;
                if (!seen.Add(payload)) Violated($"partition {partition}: {payload} is there twice, the second time at {offset}");
                int before = last.GetValueOrDefault(payload.Producer, -1);
                if (_ordered.Contains(payload.Producer) && payload.Index != before + 1) Violated($"partition {partition}: offset {offset} holds {payload} where {before + 1} should follow");
                if (_spread.ContainsKey(payload.Producer) && payload.Index <= before) Violated($"partition {partition}: offset {offset} holds {payload} after {before}");
                last[payload.Producer] = payload.Index;
            }
            foreach (Payload missing in there.AcknowledgedSomewhere.Where(p => !seen.Contains(p)).Take(3)) Violated($"partition {partition}: acknowledged {missing} is nowhere");
        }
    }

    /// <summary>Nothing of a producer of all partitions is missing or in two of them.</summary>
    private void CheckSpread()
    {
        lock (_lock)
        {
            ILookup<int, int> numbers = _partitions.SelectMany(static p => p.Contents.Values).ToLookup(static p => p.Producer, static p => p.Index);
            foreach ((int producer, int records) in _spread)
            {
                int[] there = [.. numbers[producer].Order()];
                if (there.SequenceEqual(Enumerable.Range(0, records))) continue;
                IEnumerable<int> missing = Enumerable.Range(0, records).Except(there), surplus = there.Where(n => n >= records);
                Violated($"producer {producer} sent {records} records, and {there.Length} are there: without {string.Join(',', missing.Take(5))}, and besides {string.Join(',', surplus.Take(5))}");
            }
        }
    }

    private void Holds(int partition, long offset, Payload payload, string how)
    {
        if (!_partitions[partition].Contents.TryAdd(offset, payload) && _partitions[partition].Contents[offset] is var there && there != payload)
            Violated($"partition {partition}: offset {offset} has two contents: {there}, and {payload} as {how}");
    }
}
