using System.Buffers.Binary;
using OrleansStream.Protocol.Records;

namespace OrleansStream.Protocol.Compression;

/// <summary>
/// Snappy as Kafka's clients use it. The Java client frames blocks: eight bytes of magic, two versions, then each block behind its length
/// (big-endian). librdkafka and others write one raw block. Both are read; the framing is written, because every client reads it.
/// </summary>
internal static class SnappyFrame
{
    private const int HeaderSize = 16;

    private static ReadOnlySpan<byte> Magic => [0x82, (byte)'S', (byte)'N', (byte)'A', (byte)'P', (byte)'P', (byte)'Y', 0];

    public static void Decompress(ReadOnlySpan<byte> source, PooledBuffer destination)
    {
        if (source.Length < HeaderSize || !source.StartsWith(Magic))
        {
            SnappyBlock.Decompress(source, destination);
            return;
        }
        source = source[HeaderSize..];
        while (!source.IsEmpty)
        {
            if (source.StartsWith(Magic) && source.Length >= HeaderSize)
            {
                // Streams written one behind the other are one stream.
                source = source[HeaderSize..];
                continue;
            }
            if (!BinaryPrimitives.TryReadInt32BigEndian(source, out int length) || length < 0 || length > source.Length - 4)
                throw new CorruptRecordsException("Malformed snappy: a framed block that is cut off.");
            SnappyBlock.Decompress(source.Slice(4, length), destination);
            source = source[(4 + length)..];
        }
    }

    public static void Compress(ReadOnlySpan<byte> source, PooledBuffer destination)
    {
        destination.Write(Magic);
        Span<byte> number = stackalloc byte[4];
        BinaryPrimitives.WriteInt32BigEndian(number, 1);
        destination.Write(number);
        destination.Write(number);
        while (!source.IsEmpty)
        {
            ReadOnlySpan<byte> block = source[..Math.Min(source.Length, SnappyBlock.MaxEncodedInput)];
            int lengthAt = destination.Length;
            destination.Write(number);
            SnappyBlock.Compress(block, destination);
            BinaryPrimitives.WriteInt32BigEndian(destination.Written[lengthAt..], destination.Length - lengthAt - 4);
            source = source[block.Length..];
        }
    }
}
