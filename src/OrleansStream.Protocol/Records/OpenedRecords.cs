using System.Buffers;
using OrleansStream.Protocol.Compression;

namespace OrleansStream.Protocol.Records;

/// <summary>
/// The records of one batch, decompressed and contiguous: what <see cref="RecordReader"/> walks. Holds pooled memory where the batch was compressed
/// or in several pieces; uncompressed contiguous bytes are referred to, not copied. Dispose after use.
/// </summary>
public readonly struct OpenedRecords : IDisposable
{
    private readonly PooledBuffer? _buffer;
    private readonly ReadOnlyMemory<byte> _memory;

    private OpenedRecords(in RecordBatchHeader header, ReadOnlyMemory<byte> memory, PooledBuffer? buffer)
    {
        Header = header;
        _memory = memory;
        _buffer = buffer;
    }

    public RecordBatchHeader Header { get; }
    public ReadOnlyMemory<byte> Memory => _memory;

    /// <summary>The records in order; throws <see cref="CorruptRecordsException"/> where one is malformed.</summary>
    public RecordReader GetEnumerator() => new(Header, _memory.Span);

    /// <summary>
    /// Opens the batch at the start of <paramref name="batch"/>. Throws <see cref="CorruptRecordsException"/> where it is cut off, cannot be decompressed,
    /// or holds more than <paramref name="maxBytes"/>. Does not look at the checksum.
    /// </summary>
    public static OpenedRecords Open(in ReadOnlySequence<byte> batch, int maxBytes)
    {
        if (!RecordBatchHeader.TryRead(batch, out RecordBatchHeader header) || header.SizeInBytes < RecordBatchHeader.Size
            || header.SizeInBytes > batch.Length)
            throw new CorruptRecordsException("A record batch that is cut off.");
        return Open(header, batch.Slice(RecordBatchHeader.Size, header.SizeInBytes - RecordBatchHeader.Size), maxBytes);
    }

    /// <summary>The same, where the header has been read: <paramref name="body"/> is what follows it.</summary>
    public static OpenedRecords Open(in RecordBatchHeader header, in ReadOnlySequence<byte> body, int maxBytes)
    {
        if (header.Codec == CompressionCodec.None && body.IsSingleSegment)
            return new OpenedRecords(header, body.First, null);

        PooledBuffer? joined = null;
        var opened = new PooledBuffer(maxBytes, header.Codec == CompressionCodec.None ? body.Length : 3 * body.Length);
        try
        {
            if (!body.IsSingleSegment)
            {
                joined = new PooledBuffer((int)body.Length, body.Length);
                body.CopyTo(joined.Reserve((int)body.Length));
                joined.Advance((int)body.Length);
            }
            Codecs.Decompress(header.Codec, joined is null ? body.FirstSpan : joined.WrittenSpan, opened);
            return new OpenedRecords(header, opened.WrittenMemory, opened);
        }
        catch
        {
            opened.Dispose();
            throw;
        }
        finally
        {
            joined?.Dispose();
        }
    }

    public void Dispose() => _buffer?.Dispose();
}
