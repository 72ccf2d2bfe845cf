using System.Buffers;
using System.Buffers.Binary;
using OrleansStream.Protocol.Compression;
using OrleansStream.Protocol.Records;
using OrleansStream.Storage;

namespace OrleansStream.Broker.Groups.Snapshots;

/// <summary>
/// What the log of a partition of __consumer_offsets says up to an offset, without what later records have replaced: the records that a compacted log would
/// still have, as record batches with their offsets. Loading replays it and then the log from <see cref="NextOffset"/> on. Docs: docs/storage-format.md.
/// <code>
/// magic        4  "OSGS"
/// version      2
/// topic id    16
/// partition    4
/// next offset  8  of the first record that is not covered
/// batches
/// crc          4  CRC-32C of all before it
/// </code>
/// </summary>
/// <param name="Batches">Record batches, one behind the other, with ascending offsets.</param>
internal sealed record GroupSnapshot(long NextOffset, ReadOnlyMemory<byte> Batches)
{
    public const short Version = 1;
    private const int HeaderLength = 34;
    private static ReadOnlySpan<byte> Magic => "OSGS"u8;

    /// <summary>Begins an object: batches and <see cref="Seal"/> follow.</summary>
    public static void Begin(PartitionId partition, long nextOffset, PooledBuffer content)
    {
        var header = content.Reserve(HeaderLength)[..HeaderLength];
        Magic.CopyTo(header);
        BinaryPrimitives.WriteInt16BigEndian(header[4..], Version);
        partition.TopicId.TryWriteBytes(header[6..], bigEndian: true, out _);
        BinaryPrimitives.WriteInt32BigEndian(header[22..], partition.Index);
        BinaryPrimitives.WriteInt64BigEndian(header[26..], nextOffset);
        content.Advance(HeaderLength);
    }

    public static void Seal(PooledBuffer content)
    {
        BinaryPrimitives.WriteUInt32BigEndian(content.Reserve(4), Crc32C.Compute(content.WrittenSpan));
        content.Advance(4);
    }

    /// <summary>Throws <see cref="InvalidDataException"/> for a damaged object and one of another partition, <see cref="UnsupportedFormatException"/> for a newer one.</summary>
    public static GroupSnapshot Open(string name, PartitionId partition, ReadOnlyMemory<byte> content)
    {
        var span = content.Span;
        if (span.Length < HeaderLength + 4 || !span[..4].SequenceEqual(Magic))
            throw new InvalidDataException($"object '{name}' is no snapshot of groups");
        // Before the checksum, which a newer format may keep elsewhere.
        if (BinaryPrimitives.ReadInt16BigEndian(span[4..]) is var version && version > Version)
            throw UnsupportedFormatException.Newer($"object '{name}'", version, Version);
        if (Crc32C.Compute(span[..^4]) != BinaryPrimitives.ReadUInt32BigEndian(span[^4..]))
            throw new InvalidDataException($"object '{name}' is damaged: its checksum does not fit");
        var of = new PartitionId(new Guid(span[6..22], bigEndian: true), BinaryPrimitives.ReadInt32BigEndian(span[22..]));
        if (of != partition)
            throw new InvalidDataException($"object '{name}' is a snapshot of {of}");
        return new GroupSnapshot(BinaryPrimitives.ReadInt64BigEndian(span[26..]), content[HeaderLength..^4]);
    }
}
