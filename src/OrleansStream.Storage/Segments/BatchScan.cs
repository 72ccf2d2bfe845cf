using System.Buffers;
using System.Buffers.Binary;

namespace OrleansStream.Storage.Segments;

/// <summary>The fields of a record batch header that indexing needs (message format v2, KIP-98).</summary>
internal readonly record struct BatchFields(int Length, long BaseOffset, long LastOffset, int LeaderEpoch, long BaseTimestamp, long MaxTimestamp);

/// <summary>Steps over the record batches of a sequence, reading headers only.</summary>
internal static class BatchScan
{
    public const int HeaderLength = 61;
    private const int BeforeLength = 12;

    /// <summary>
    /// Reads the header at the beginning of <paramref name="rest"/>. False where it is not a whole header of a v2 batch that ends within
    /// <paramref name="rest"/>.
    /// </summary>
    public static bool TryRead(ReadOnlySequence<byte> rest, out BatchFields batch)
    {
        batch = default;
        if (rest.Length < HeaderLength)
            return false;
        var span = rest.FirstSpan;
        Span<byte> copy = stackalloc byte[HeaderLength];
        if (span.Length < HeaderLength)
        {
            rest.Slice(0, HeaderLength).CopyTo(copy);
            span = copy;
        }
        var length = BinaryPrimitives.ReadInt32BigEndian(span[8..]);
        var lastOffsetDelta = BinaryPrimitives.ReadInt32BigEndian(span[23..]);
        if (span[16] != 2 || length < HeaderLength - BeforeLength || length > int.MaxValue - BeforeLength || lastOffsetDelta < 0
            || length + BeforeLength > rest.Length)
            return false;
        var baseOffset = BinaryPrimitives.ReadInt64BigEndian(span);
        batch = new BatchFields(
            length + BeforeLength, baseOffset, baseOffset + lastOffsetDelta, BinaryPrimitives.ReadInt32BigEndian(span[12..]),
            BinaryPrimitives.ReadInt64BigEndian(span[27..]), BinaryPrimitives.ReadInt64BigEndian(span[35..]));
        return batch.LastOffset >= 0;
    }
}
