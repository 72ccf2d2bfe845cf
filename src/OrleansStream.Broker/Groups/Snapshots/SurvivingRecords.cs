using OrleansStream.Protocol.Compression;
using OrleansStream.Protocol.Records;
using OrleansStream.Storage;

namespace OrleansStream.Broker.Groups.Snapshots;

/// <summary>
/// The last record of each key, as compaction leaves them, but without tombstones: a snapshot begins with the log, so that there is nothing left for them to
/// hide. Bytes are kept as they are, so records of types that this program does not know survive as well.
/// </summary>
internal sealed class SurvivingRecords
{
    /// <summary>Where a batch of the snapshot ends.</summary>
    private const int BatchBytes = 1 << 20;

    private readonly Dictionary<byte[], Survivor> _records = new(new BytesComparer());

    private readonly record struct Survivor(long Offset, long Timestamp, byte[] Value);

    public int Count => _records.Count;

    /// <summary>Bytes of keys and values.</summary>
    public long Bytes { get; private set; }

    public void Take(in Record record)
    {
        var key = record.Key.ToArray();
        if (_records.Remove(key, out var before))
            Bytes -= key.Length + before.Value.Length;
        if (!record.HasValue)
            return;
        _records.Add(key, new Survivor(record.Offset, record.Timestamp, record.Value.ToArray()));
        Bytes += key.Length + record.Value.Length;
    }

    /// <summary>The snapshot's object. The caller disposes it.</summary>
    public PooledBuffer ToObject(PartitionId partition, long nextOffset)
    {
        var content = new PooledBuffer(int.MaxValue / 2);
        GroupSnapshot.Begin(partition, nextOffset, content);
        RecordBatchBuilder? batch = null;
        foreach (var (key, record) in _records.OrderBy(r => r.Value.Offset))
        {
            if (batch is not null && (batch.UncompressedSize > BatchBytes || record.Offset - batch.BaseOffset > int.MaxValue / 2))
                batch = End(batch, content);
            batch ??= new RecordBatchBuilder { BaseOffset = record.Offset };
            batch.LastOffsetDelta = (int)(record.Offset - batch.BaseOffset) - 1;
            batch.Append(record.Timestamp, key, record.Value);
        }
        if (batch is not null)
            End(batch, content);
        GroupSnapshot.Seal(content);
        return content;
    }

    private static RecordBatchBuilder? End(RecordBatchBuilder batch, PooledBuffer content)
    {
        batch.WriteTo(content);
        batch.Dispose();
        return null;
    }

    private sealed class BytesComparer : IEqualityComparer<byte[]>
    {
        public bool Equals(byte[]? x, byte[]? y) => x.AsSpan().SequenceEqual(y);

        public int GetHashCode(byte[] bytes) => (int)Crc32C.Compute(bytes);
    }
}
