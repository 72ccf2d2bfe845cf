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
        public readonly Dictionary<int, int> OwnerOf = [];
        public long HighWatermark;
        public int ServedEpoch = -1;
    }

    private readonly Lock _lock = new();
    private readonly PartitionHistory[] _partitions;
    private readonly HashSet<int> _ordered = [];
    private readonly List<string> _violations = [];

    public TopicHistory(string topic, int partitions)
    {
        Topic = topic;
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
                    if (Payload.Parse(record.Value!.Value.Span) is { } payload) Holds(partition, record.Offset, payload, "read");
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
        Assert.True(Violations.Count == 0, string.Join('\n', Violations));
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
                if (!_ordered.Contains(payload.Producer)) continue;
                int expected = last.GetValueOrDefault(payload.Producer, -1) + 1;
                if (payload.Index != expected) Violated($"partition {partition}: offset {offset} holds {payload} where {expected} should follow");
                last[payload.Producer] = payload.Index;
            }
        }
    }

    private void Holds(int partition, long offset, Payload payload, string how)
    {
        if (!_partitions[partition].Contents.TryAdd(offset, payload) && _partitions[partition].Contents[offset] is var there && there != payload)
            Violated($"partition {partition}: offset {offset} has two contents: {there}, and {payload} as {how}");
    }
}
