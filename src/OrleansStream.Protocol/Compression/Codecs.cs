using OrleansStream.Protocol.Records;

namespace OrleansStream.Protocol.Compression;

/// <summary>Compresses and decompresses in the forms that Kafka's clients read and write inside a record batch.</summary>
public static class Codecs
{
    /// <summary>
    /// Decompresses <paramref name="source"/> behind what <paramref name="destination"/> holds, whose limit bounds the result. Throws
    /// <see cref="CorruptRecordsException"/> on anything malformed, and on an unknown codec.
    /// </summary>
    public static void Decompress(CompressionCodec codec, ReadOnlySpan<byte> source, PooledBuffer destination)
    {
        switch (codec)
        {
            case CompressionCodec.None:
                destination.Write(source);
                break;
            case CompressionCodec.Gzip:
                Gzip.Decompress(source, destination);
                break;
            case CompressionCodec.Snappy:
                SnappyFrame.Decompress(source, destination);
                break;
            case CompressionCodec.Lz4:
                Lz4Frame.Decompress(source, destination);
                break;
            case CompressionCodec.Zstd:
                ZstdDecoder.Decompress(source, destination);
                break;
            default:
                throw new CorruptRecordsException($"Unknown compression codec {(int)codec}.");
        }
    }

    /// <summary>Compresses <paramref name="source"/> behind what <paramref name="destination"/> holds.</summary>
    public static void Compress(CompressionCodec codec, ReadOnlySpan<byte> source, PooledBuffer destination)
    {
        switch (codec)
        {
            case CompressionCodec.None:
                destination.Write(source);
                break;
            case CompressionCodec.Gzip:
                Gzip.Compress(source, destination);
                break;
            case CompressionCodec.Snappy:
                SnappyFrame.Compress(source, destination);
                break;
            case CompressionCodec.Lz4:
                Lz4Frame.Compress(source, destination);
                break;
            case CompressionCodec.Zstd:
                ZstdEncoder.Compress(source, destination);
                break;
            default:
                throw new ArgumentOutOfRangeException(nameof(codec), codec, "Unknown compression codec.");
        }
    }
}
