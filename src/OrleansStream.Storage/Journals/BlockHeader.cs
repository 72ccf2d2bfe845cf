using System.Buffers.Binary;
using OrleansStream.Protocol.Records;

namespace OrleansStream.Storage.Journals;

internal enum BlockKind : ushort
{
    /// <summary>A commit on disk, part of a chain.</summary>
    DiskBlock = 1,

    /// <summary>A commit as an object of its own.</summary>
    StoreObject = 2,

    /// <summary>Where a journal ends: in a store the first sequence that its writer cannot have, on disk its last durable block.</summary>
    FenceMarker = 3,
}

/// <summary>
/// The 80 bytes in front of every commit. Little-endian:
/// <code>
///  0  4  magic "OSTJ"
///  4  2  format version, 1
///  6  2  kind (<see cref="BlockKind"/>)
///  8 16  incarnation: the journal's id, in RFC 9562 byte order
/// 24  8  number of the block or object, from 0, rising by one
/// 32  8  lowest number still kept
/// 40  8  written at, Unix time in milliseconds; for people, no rule reads it
/// 48  8  length of the entries behind this header, in bytes, without padding
/// 56  4  number of entries
/// 60  4  checksum of the block before; 0 in the first block and in objects
/// 64  8  everything below this number was durable when the commit was made: what is missing below it was lost, not never written
/// 72  4  checksum: CRC32C of bytes 0..71 and the entries, seeded with the checksum of the block before
/// 76  4  header checksum: CRC32C of bytes 0..75
/// </code>
/// </summary>
internal readonly record struct BlockHeader(
    BlockKind Kind, Guid Incarnation, long Number, long LowestKept, long WrittenMs, long EntriesLength, int EntryCount, uint PreviousChecksum,
    long DurableBelow, uint Checksum)
{
    public const int Size = 80;
    public const ushort Version = 1;
    private const int Checked = 72;
    private const int HeaderChecked = 76;
    private const uint Magic = 0x4A54534F;

    /// <summary>Writes the header but for its checksums; answers the checksum of what it wrote, to be continued over the entries.</summary>
    public uint Begin(Span<byte> to)
    {
        to[..Size].Clear();
        BinaryPrimitives.WriteUInt32LittleEndian(to, Magic);
        BinaryPrimitives.WriteUInt16LittleEndian(to[4..], Version);
        BinaryPrimitives.WriteUInt16LittleEndian(to[6..], (ushort)Kind);
        Incarnation.TryWriteBytes(to[8..], bigEndian: true, out _);
        BinaryPrimitives.WriteInt64LittleEndian(to[24..], Number);
        BinaryPrimitives.WriteInt64LittleEndian(to[32..], LowestKept);
        BinaryPrimitives.WriteInt64LittleEndian(to[40..], WrittenMs);
        BinaryPrimitives.WriteInt64LittleEndian(to[48..], EntriesLength);
        BinaryPrimitives.WriteInt32LittleEndian(to[56..], EntryCount);
        BinaryPrimitives.WriteUInt32LittleEndian(to[60..], PreviousChecksum);
        BinaryPrimitives.WriteInt64LittleEndian(to[64..], DurableBelow);
        return Crc32C.Append(PreviousChecksum, to[..Checked]);
    }

    /// <summary>Writes the checksums, once the one over the entries is known.</summary>
    public static void Finish(Span<byte> to, uint checksum)
    {
        BinaryPrimitives.WriteUInt32LittleEndian(to[72..], checksum);
        BinaryPrimitives.WriteUInt32LittleEndian(to[76..], Crc32C.Compute(to[..HeaderChecked]));
    }

    /// <summary>Writes a header that has no entries behind it.</summary>
    public void WriteWhole(Span<byte> to) => Finish(to, Begin(to));

    /// <summary>Reads a header whose own checksum is right; the entries behind it are not looked at.</summary>
    public static bool TryRead(ReadOnlySpan<byte> from, out BlockHeader header)
    {
        header = default;
        if (from.Length < Size || BinaryPrimitives.ReadUInt32LittleEndian(from) != Magic
            || BinaryPrimitives.ReadUInt16LittleEndian(from[4..]) != Version
            || BinaryPrimitives.ReadUInt32LittleEndian(from[76..]) != Crc32C.Compute(from[..HeaderChecked]))
        {
            return false;
        }

        header = new BlockHeader(
            (BlockKind)BinaryPrimitives.ReadUInt16LittleEndian(from[6..]),
            new Guid(from.Slice(8, 16), bigEndian: true),
            BinaryPrimitives.ReadInt64LittleEndian(from[24..]),
            BinaryPrimitives.ReadInt64LittleEndian(from[32..]),
            BinaryPrimitives.ReadInt64LittleEndian(from[40..]),
            BinaryPrimitives.ReadInt64LittleEndian(from[48..]),
            BinaryPrimitives.ReadInt32LittleEndian(from[56..]),
            BinaryPrimitives.ReadUInt32LittleEndian(from[60..]),
            BinaryPrimitives.ReadInt64LittleEndian(from[64..]),
            BinaryPrimitives.ReadUInt32LittleEndian(from[72..]));
        return header.EntriesLength >= 0 && header.EntryCount >= 0;
    }

    /// <summary>Whether the entries, right behind the header in <paramref name="block"/>, are those that the header was made for.</summary>
    public bool Vouches(ReadOnlySpan<byte> block) =>
        block.Length >= Size + EntriesLength
        && Crc32C.Append(Crc32C.Append(PreviousChecksum, block[..Checked]), block.Slice(Size, (int)EntriesLength)) == Checksum;

    /// <summary>Refuses what a newer version of this program wrote. For places where only a header can stand.</summary>
    public static void RefuseNewer(ReadOnlySpan<byte> from, string where)
    {
        if (from.Length >= 8 && BinaryPrimitives.ReadUInt32LittleEndian(from) == Magic
            && BinaryPrimitives.ReadUInt16LittleEndian(from[4..]) is var version and > Version)
        {
            throw UnsupportedFormatException.Newer(where, version, Version);
        }
    }
}
