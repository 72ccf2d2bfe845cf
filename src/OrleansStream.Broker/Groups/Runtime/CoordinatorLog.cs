using System.Buffers;
using OrleansStream.Protocol.Records;

namespace OrleansStream.Broker.Groups.Runtime;

/// <summary>Walks the records of a partition of __consumer_offsets.</summary>
internal static class CoordinatorLog
{
    /// <summary>Most bytes of one read.</summary>
    public const int ReadBytes = 4 << 20;

    private const int MaxBatchBytes = 256 << 20;

    public delegate void Visit(in Record record);

    /// <summary>
    /// Visits the records of whole batches from offset <paramref name="from"/> on; answers where to go on. Throws <see cref="CorruptRecordsException"/> for what
    /// is no record.
    /// </summary>
    public static long Walk(ReadOnlySequence<byte> batches, long from, Visit visit)
    {
        while (RecordBatchHeader.TryRead(batches, out var header) && header.SizeInBytes <= batches.Length)
        {
            if (!header.IsControl && header.NextOffset > from)
            {
                using var records = OpenedRecords.Open(batches.Slice(0, header.SizeInBytes), MaxBatchBytes);
                foreach (var record in records)
                {
                    if (record.Offset >= from)
                        visit(record);
                }
            }
            from = Math.Max(from, header.NextOffset);
            batches = batches.Slice(header.SizeInBytes);
        }
        return from;
    }
}
