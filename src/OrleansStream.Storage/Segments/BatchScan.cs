using System.Buffers;
using OrleansStream.Protocol.Records;

namespace OrleansStream.Storage.Segments;

/// <summary>Steps over the record batches of a sequence, reading headers only.</summary>
internal static class BatchScan
{
    /// <summary>
    /// Reads the header at the beginning of <paramref name="rest"/>. False where it is not a whole header of a v2 batch that ends within
    /// <paramref name="rest"/>.
    /// </summary>
    public static bool TryRead(in ReadOnlySequence<byte> rest, out RecordBatchHeader batch) =>
        RecordBatchHeader.TryRead(rest, out batch) && batch.Magic == 2 && batch.SizeInBytes >= RecordBatchHeader.Size
        && batch.SizeInBytes <= rest.Length && batch is { BaseOffset: >= 0, LastOffsetDelta: >= 0, LastOffset: >= 0 };
}
