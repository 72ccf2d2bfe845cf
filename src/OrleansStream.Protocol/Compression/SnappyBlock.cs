using System.Buffers.Binary;
using System.Numerics;
using OrleansStream.Protocol.Records;

namespace OrleansStream.Protocol.Compression;

/// <summary>A raw snappy block: its length as a varint, then literals and copies.</summary>
internal static class SnappyBlock
{
    /// <summary>What the encoder takes at once, so that every distance fits two bytes.</summary>
    public const int MaxEncodedInput = 1 << 15;

    private const int HashBits = 13;

    public static void Decompress(ReadOnlySpan<byte> source, PooledBuffer destination)
    {
        int at = 0;
        int length = ReadLength(source, ref at);
        if (length > destination.Limit - destination.Length)
            throw new CorruptRecordsException($"A snappy block of {length} bytes is more than is allowed.") { TooLarge = true };
        int start = destination.Length;
        int end = start + length;

        while (at < source.Length)
        {
            byte tag = source[at++];
            int count, distance;
            switch (tag & 3)
            {
                case 0:
                    count = (tag >> 2) + 1;
                    if (count > 60)
                    {
                        int bytes = count - 60;
                        long wide = ReadLittleEndian(source, ref at, bytes) + 1L;
                        count = wide > source.Length - at ? throw Malformed("a literal that is cut off") : (int)wide;
                    }
                    if (count > source.Length - at || count > end - destination.Length)
                        throw Malformed("a literal that is too long");
                    destination.Write(source.Slice(at, count));
                    at += count;
                    continue;
                case 1:
                    count = (tag >> 2 & 7) + 4;
                    distance = (tag >> 5) << 8 | (int)ReadLittleEndian(source, ref at, 1);
                    break;
                case 2:
                    count = (tag >> 2) + 1;
                    distance = (int)ReadLittleEndian(source, ref at, 2);
                    break;
                default:
                    count = (tag >> 2) + 1;
                    distance = (int)Math.Min(int.MaxValue, ReadLittleEndian(source, ref at, 4));
                    break;
            }
            if (distance == 0 || distance > destination.Length - start || count > end - destination.Length)
                throw Malformed("a copy outside of the block");
            destination.Repeat(distance, count);
        }
        if (destination.Length != end)
            throw Malformed("fewer bytes than it says");
    }

    /// <summary>Compresses at most <see cref="MaxEncodedInput"/> bytes: greedy, with one look at the last place where four bytes stood.</summary>
    public static void Compress(ReadOnlySpan<byte> source, PooledBuffer destination)
    {
        WriteLength(source.Length, destination);
        Span<ushort> lastSeen = stackalloc ushort[1 << HashBits];
        lastSeen.Clear();
        int literals = 0;
        int at = 1;
        int misses = 0;
        while (at + 4 <= source.Length)
        {
            uint word = BinaryPrimitives.ReadUInt32LittleEndian(source[at..]);
            int slot = (int)(word * 0x1E35A7BD >> 32 - HashBits);
            int candidate = lastSeen[slot];
            lastSeen[slot] = (ushort)at;
            if (candidate >= at || BinaryPrimitives.ReadUInt32LittleEndian(source[candidate..]) != word)
            {
                at += 1 + (misses++ >> 5);
                continue;
            }
            misses = 0;
            int length = 4 + source[(at + 4)..].CommonPrefixLength(source[(candidate + 4)..]);
            WriteLiteral(source[literals..at], destination);
            WriteCopy(at - candidate, length, destination);
            at += length;
            literals = at;
        }
        WriteLiteral(source[literals..], destination);
    }

    private static void WriteLiteral(ReadOnlySpan<byte> literal, PooledBuffer destination)
    {
        if (literal.IsEmpty)
            return;
        int last = literal.Length - 1;
        if (last < 60)
        {
            destination.WriteByte((byte)(last << 2));
        }
        else if (last < 256)
        {
            destination.WriteByte(60 << 2);
            destination.WriteByte((byte)last);
        }
        else
        {
            destination.WriteByte(61 << 2);
            destination.WriteByte((byte)last);
            destination.WriteByte((byte)(last >> 8));
        }
        destination.Write(literal);
    }

    private static void WriteCopy(int distance, int length, PooledBuffer destination)
    {
        while (length > 0)
        {
            int part = Math.Min(length, 64);
            destination.WriteByte((byte)(part - 1 << 2 | 2));
            destination.WriteByte((byte)distance);
            destination.WriteByte((byte)(distance >> 8));
            length -= part;
        }
    }

    private static int ReadLength(ReadOnlySpan<byte> source, ref int at)
    {
        ulong length = 0;
        for (int shift = 0; shift < 35; shift += 7)
        {
            if (at == source.Length)
                break;
            byte b = source[at++];
            length |= (ulong)(b & 0x7F) << shift;
            if (b < 0x80)
                return length <= int.MaxValue ? (int)length : throw Malformed("a length above 2 GiB");
        }
        throw Malformed("a length that is cut off");
    }

    private static void WriteLength(int length, PooledBuffer destination)
    {
        uint left = (uint)length;
        for (; left >= 0x80; left >>= 7)
            destination.WriteByte((byte)(left | 0x80));
        destination.WriteByte((byte)left);
    }

    private static long ReadLittleEndian(ReadOnlySpan<byte> source, ref int at, int bytes)
    {
        if (bytes > source.Length - at)
            throw Malformed("an element that is cut off");
        long value = 0;
        for (int i = 0; i < bytes; i++)
            value |= (long)source[at++] << (8 * i);
        return value;
    }

    private static CorruptRecordsException Malformed(string what) => new($"Malformed snappy: {what}.");
}
