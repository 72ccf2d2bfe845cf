namespace OrleansStream.Protocol.Compression;

/// <summary>How the records of a batch are compressed: the lowest three bits of its attributes.</summary>
public enum CompressionCodec : byte
{
    None = 0,
    Gzip = 1,
    Snappy = 2,
    Lz4 = 3,

    /// <summary>Since Kafka 2.1 (KIP-110); Produce before version 7 and Fetch before version 10 may not carry it.</summary>
    Zstd = 4,
}
