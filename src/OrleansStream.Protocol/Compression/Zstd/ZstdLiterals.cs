using System.Buffers.Binary;
using System.Numerics;

namespace OrleansStream.Protocol.Compression;

/// <summary>
/// Writes the literals section of a block: Huffman in four streams where that is shorter and its table has the direct form (no byte above 128),
/// else raw, or one byte and a count.
/// </summary>
internal static class ZstdLiterals
{
    // Below this a Huffman table costs more than it saves.
    private const int LeastForHuffman = 256;
    private const int HighestDirectSymbol = 128;

    public static void Write(ReadOnlySpan<byte> literals, PooledBuffer destination)
    {
        if (literals.Length > 1 && !literals.ContainsAnyExcept(literals[0]))
        {
            WriteHead(ZstdFormat.LiteralsRle, literals.Length, destination);
            destination.WriteByte(literals[0]);
            return;
        }
        int start = destination.Length;
        if (literals.Length >= LeastForHuffman && TryWriteHuffman(literals, destination)
            && destination.Length - start < literals.Length)
            return;
        destination.Truncate(start);
        WriteHead(ZstdFormat.LiteralsRaw, literals.Length, destination);
        destination.Write(literals);
    }

    private static void WriteHead(int type, int size, PooledBuffer destination)
    {
        Span<byte> head = stackalloc byte[4];
        int bytes = size < 32 ? 1 : size < 4096 ? 2 : 3;
        int word = bytes switch { 1 => size << 3, 2 => size << 4 | 1 << 2, _ => size << 4 | 3 << 2 };
        BinaryPrimitives.WriteInt32LittleEndian(head, word | type);
        destination.Write(head[..bytes]);
    }

    private static bool TryWriteHuffman(ReadOnlySpan<byte> literals, PooledBuffer destination)
    {
        Span<int> counts = stackalloc int[HighestDirectSymbol + 1];
        foreach (byte b in literals)
        {
            if (b > HighestDirectSymbol)
                return false;
            counts[b]++;
        }
        int highest = counts.Length - 1;
        while (counts[highest] == 0)
            highest--;
        if (highest == 0)
            return false;

        Span<byte> lengths = stackalloc byte[highest + 1];
        int maxBits = HuffmanLengths.Assign(counts[..(highest + 1)], lengths);
        Span<ushort> codes = stackalloc ushort[highest + 1];
        AssignCodes(lengths, maxBits, codes);

        int format = literals.Length < 1024 ? 1 : literals.Length < 16 * 1024 ? 2 : 3;
        int head = 2 + format, width = format switch { 1 => 10, 2 => 14, _ => 18 };
        int headAt = destination.Length;
        destination.Advance(destination.Reserve(head).Length);
        WriteWeights(lengths, maxBits, destination);

        int jumpsAt = destination.Length;
        destination.Advance(destination.Reserve(6).Length);
        int part = (literals.Length + 3) / 4;
        for (int i = 0; i < 4; i++)
        {
            int streamAt = destination.Length;
            WriteStream(literals[(i * part)..Math.Min(literals.Length, (i + 1) * part)], lengths, codes, destination);
            if (i < 3)
                BinaryPrimitives.WriteUInt16LittleEndian(destination.Written[(jumpsAt + 2 * i)..], (ushort)(destination.Length - streamAt));
        }

        int compressed = destination.Length - headAt - head;
        if (compressed >= literals.Length)
            return false;
        ulong word = (ulong)ZstdFormat.LiteralsCompressed | (ulong)format << 2 | (ulong)literals.Length << 4 | (ulong)compressed << (4 + width);
        Span<byte> written = destination.Written.Slice(headAt, head);
        for (int i = 0; i < head; i++)
            written[i] = (byte)(word >> (8 * i));
        return true;
    }

    /// <summary>Codes in the order of the decoder's table: longest first, then by symbol.</summary>
    private static void AssignCodes(ReadOnlySpan<byte> lengths, int maxBits, Span<ushort> codes)
    {
        int at = 0;
        for (int length = maxBits; length > 0; length--)
            for (int symbol = 0; symbol < lengths.Length; symbol++)
                if (lengths[symbol] == length)
                {
                    codes[symbol] = (ushort)(at >> (maxBits - length));
                    at += 1 << (maxBits - length);
                }
    }

    /// <summary>Four bits for each symbol but the last, whose weight follows from the others.</summary>
    private static void WriteWeights(ReadOnlySpan<byte> lengths, int maxBits, PooledBuffer destination)
    {
        int count = lengths.Length - 1;
        destination.WriteByte((byte)(127 + count));
        for (int i = 0; i < count; i += 2)
        {
            int high = Weight(lengths[i], maxBits);
            int low = i + 1 < count ? Weight(lengths[i + 1], maxBits) : 0;
            destination.WriteByte((byte)(high << 4 | low));
        }
    }

    private static int Weight(int length, int maxBits) => length == 0 ? 0 : maxBits + 1 - length;

    private static void WriteStream(ReadOnlySpan<byte> part, ReadOnlySpan<byte> lengths, ReadOnlySpan<ushort> codes, PooledBuffer destination)
    {
        var bits = new ZstdBitWriter(destination);
        for (int i = part.Length - 1; i >= 0; i--)
            bits.Write(codes[part[i]], lengths[part[i]]);
        bits.Finish();
    }
}
