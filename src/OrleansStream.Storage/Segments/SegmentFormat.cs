using System.Buffers.Binary;

namespace OrleansStream.Storage.Segments;

/// <summary>
/// The fixed parts of a sealed object. All numbers are big-endian, as Kafka's are.
/// <code>
/// header     0  magic "OSTRSEGM", 8 bytes
///            8  format version, int16
///           10  zero, 6 bytes
///           16  incarnation of the writer, 16 bytes
///           32  runs: record batches as they came, one run behind the other
///               indexes: for each run a version, int16, its index message, CRC32C of both, uint32
///               directory: a version, int16, the directory message, CRC32C of both, uint32
/// trailer   -24 position of the directory, int64
///           -16 length of the directory with its CRC32C, int32
///           -12 zero, int16
///           -10 format version, int16
///            -8 magic, 8 bytes
/// </code>
/// Each run has an index of its own beside the directory, so that a reader of one run in an object of thousands fetches some KiB.
/// </summary>
internal static class SegmentFormat
{
    public const short Version = 1;
    public const int HeaderLength = 32;
    public const int TrailerLength = 24;

    private static ReadOnlySpan<byte> Magic => "OSTRSEGM"u8;

    public static byte[] Header(Guid incarnation)
    {
        var bytes = new byte[HeaderLength];
        Magic.CopyTo(bytes);
        BinaryPrimitives.WriteInt16BigEndian(bytes.AsSpan(8), Version);
        incarnation.TryWriteBytes(bytes.AsSpan(16), bigEndian: true, out _);
        return bytes;
    }

    public static byte[] Trailer(long directoryPosition, int directoryLength)
    {
        var bytes = new byte[TrailerLength];
        BinaryPrimitives.WriteInt64BigEndian(bytes, directoryPosition);
        BinaryPrimitives.WriteInt32BigEndian(bytes.AsSpan(8), directoryLength);
        BinaryPrimitives.WriteInt16BigEndian(bytes.AsSpan(14), Version);
        Magic.CopyTo(bytes.AsSpan(16));
        return bytes;
    }

    public static (long Position, int Length) ReadTrailer(ReadOnlySpan<byte> bytes, string name, long objectLength)
    {
        if (!bytes[16..].SequenceEqual(Magic))
            throw new SegmentCorruptException($"'{name}' does not end as a sealed object does");
        CheckVersion(BinaryPrimitives.ReadInt16BigEndian(bytes[14..]), name);
        var position = BinaryPrimitives.ReadInt64BigEndian(bytes);
        var length = BinaryPrimitives.ReadInt32BigEndian(bytes[8..]);
        if (position < HeaderLength || length < 4 || position + length != objectLength - TrailerLength)
            throw new SegmentCorruptException($"'{name}' of {objectLength} bytes says its directory is at {position}, {length} bytes");
        return (position, length);
    }

    private static void CheckVersion(short version, string name)
    {
        if (version < 1)
            throw new SegmentCorruptException($"sealed object '{name}' has format version {version}, which never was");
        if (version > Version)
            throw UnsupportedFormatException.Newer($"sealed object '{name}'", version, Version);
    }
}
