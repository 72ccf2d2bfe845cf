using System.Buffers.Binary;

namespace OrleansStream.Storage.Journals;

/// <summary>
/// The entries behind a block header, one behind the other, each 48 bytes and its record batches. Little-endian:
/// <code>
///  0 16  topic id, in RFC 9562 byte order
/// 16  4  partition
/// 20  4  leader epoch
/// 24  8  base offset
/// 32  8  last offset
/// 40  4  length of the record batches, in bytes
/// 44  4  zero
/// 48  n  record batches
/// </code>
/// </summary>
internal static class EntryCodec
{
    public const int HeaderSize = 48;

    public static void WriteHeader(Span<byte> to, JournalEntry entry)
    {
        entry.Partition.TopicId.TryWriteBytes(to, bigEndian: true, out _);
        BinaryPrimitives.WriteInt32LittleEndian(to[16..], entry.Partition.Index);
        BinaryPrimitives.WriteInt32LittleEndian(to[20..], entry.LeaderEpoch);
        BinaryPrimitives.WriteInt64LittleEndian(to[24..], entry.BaseOffset);
        BinaryPrimitives.WriteInt64LittleEndian(to[32..], entry.LastOffset);
        BinaryPrimitives.WriteInt32LittleEndian(to[40..], entry.Payload.Length);
        BinaryPrimitives.WriteInt32LittleEndian(to[44..], 0);
    }

    /// <summary>Hands over every entry; false where lengths or count contradict each other, which a right checksum rules out but for a defect.</summary>
    public static bool TryReplay(ReadOnlySpan<byte> entries, int count, IJournalReplay replay)
    {
        while (count-- > 0)
        {
            if (entries.Length < HeaderSize || BinaryPrimitives.ReadInt32LittleEndian(entries[40..]) is var length && (length < 0 || length > entries.Length - HeaderSize))
            {
                return false;
            }

            replay.Entry(new ReplayedEntry(
                new PartitionId(new Guid(entries[..16], bigEndian: true), BinaryPrimitives.ReadInt32LittleEndian(entries[16..])),
                BinaryPrimitives.ReadInt32LittleEndian(entries[20..]),
                BinaryPrimitives.ReadInt64LittleEndian(entries[24..]),
                BinaryPrimitives.ReadInt64LittleEndian(entries[32..]),
                entries.Slice(HeaderSize, length)));
            entries = entries[(HeaderSize + length)..];
        }

        return entries.IsEmpty;
    }
}
