using System.Buffers;
using System.Buffers.Binary;
using Layout = OrleansStream.Protocol.Records.RecordBatchLayout;

namespace OrleansStream.Protocol.Records;

/// <summary>
/// CRC-32C of data that consists of record batches, out of the checksums which the batches carry, for the journal and the sealed segments: every byte
/// was summed when its batch came in, and a second and third pass cost a quarter of all processor time of a produce load. The batches'
/// checksums have to have been verified or computed by this process. A byte that has changed in memory since then makes the result wrong, as it should.
/// </summary>
public static class BatchChecksums
{
    // Below this, going over the bytes again is as fast.
    private const int LeastToCombine = 4096;

    /// <summary>
    /// The checksum of what <paramref name="crc"/> covers, followed by <paramref name="batches"/>: whole batches. From the first byte on that begins
    /// none, it is computed from the bytes.
    /// </summary>
    public static uint Append(uint crc, ReadOnlySpan<byte> batches)
    {
        while (batches.Length >= LeastToCombine && batches[Layout.Magic] == Layout.CurrentMagic)
        {
            int size = RecordBatchHeader.ReadSize(batches);
            if (size < Layout.Records || size > batches.Length)
                break;
            crc = size < LeastToCombine
                ? Crc32C.Append(crc, batches[..size])
                : Join(crc, batches[..Layout.Attributes], BinaryPrimitives.ReadUInt32BigEndian(batches[Layout.Crc..]), size);
            batches = batches[size..];
        }
        return Crc32C.Append(crc, batches);
    }

    /// <summary>The same for one whole batch, whose header has been read.</summary>
    public static uint Append(uint crc, in ReadOnlySequence<byte> batch, in RecordBatchHeader header)
    {
        if (batch.Length < LeastToCombine)
        {
            foreach (ReadOnlyMemory<byte> part in batch)
                crc = Crc32C.Append(crc, part.Span);
            return crc;
        }
        Span<byte> start = stackalloc byte[Layout.Attributes];
        batch.Slice(0, start.Length).CopyTo(start);
        return Join(crc, start, header.Crc, (int)batch.Length);
    }

    private static uint Join(uint crc, ReadOnlySpan<byte> start, uint rest, int size) =>
        Crc32C.Combine(Crc32C.Append(crc, start), rest, size - start.Length);
}
