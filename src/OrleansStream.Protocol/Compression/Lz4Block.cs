using System.Buffers.Binary;
using OrleansStream.Protocol.Records;

namespace OrleansStream.Protocol.Compression;

/// <summary>One lz4 block: runs of literals, each followed by a copy, the last by nothing.</summary>
internal static class Lz4Block
{
    /// <summary>What the encoder takes at once, so that every place fits two bytes.</summary>
    public const int MaxEncodedInput = 1 << 16;

    private const int MinMatch = 4;
    private const int HashBits = 13;

    // The format's own rules: the last five bytes are literals, and no copy begins within the last twelve.
    private const int LastLiterals = 5;
    private const int MatchFreeTail = 12;

    /// <param name="source">The block.</param>
    /// <param name="destination">Copies may reach back to <paramref name="historyStart"/> in it.</param>
    /// <param name="historyStart">Where the frame began, or this block if blocks are independent.</param>
    /// <param name="maxOutput">Most bytes that the block may give.</param>
    public static void Decompress(ReadOnlySpan<byte> source, PooledBuffer destination, int historyStart, int maxOutput)
    {
        long end = (long)destination.Length + maxOutput;
        int at = 0;
        while (true)
        {
            if (at >= source.Length)
                throw Malformed("no literals at its end");
            byte token = source[at++];
            long count = token >> 4;
            if (count == 15)
                count += ReadMore(source, ref at);
            if (count > source.Length - at || count > end - destination.Length)
                throw Malformed("literals that are too long");
            destination.Write(source.Slice(at, (int)count));
            at += (int)count;
            if (at == source.Length)
                return;

            if (source.Length - at < 2)
                throw Malformed("a distance that is cut off");
            int distance = BinaryPrimitives.ReadUInt16LittleEndian(source[at..]);
            at += 2;
            count = (token & 15) + MinMatch;
            if ((token & 15) == 15)
                count += ReadMore(source, ref at);
            if (distance == 0 || distance > destination.Length - historyStart)
                throw Malformed("a copy from before its beginning");
            if (count > end - destination.Length)
                throw Malformed("a copy that is too long");
            destination.Repeat(distance, (int)count);
        }
    }

    /// <summary>Compresses at most <see cref="MaxEncodedInput"/> bytes: greedy, with one look at the last place where four bytes stood.</summary>
    public static void Compress(ReadOnlySpan<byte> source, PooledBuffer destination)
    {
        Span<ushort> lastSeen = stackalloc ushort[1 << HashBits];
        lastSeen.Clear();
        int literals = 0;
        int at = 1;
        int misses = 0;
        while (at <= source.Length - MatchFreeTail)
        {
            uint word = BinaryPrimitives.ReadUInt32LittleEndian(source[at..]);
            int slot = (int)(word * 0x9E3779B1 >> 32 - HashBits);
            int candidate = lastSeen[slot];
            lastSeen[slot] = (ushort)at;
            if (candidate >= at || BinaryPrimitives.ReadUInt32LittleEndian(source[candidate..]) != word || at - candidate > ushort.MaxValue)
            {
                at += 1 + (misses++ >> 6);
                continue;
            }
            misses = 0;
            ReadOnlySpan<byte> rest = source[(at + MinMatch)..(source.Length - LastLiterals)];
            int length = MinMatch + rest.CommonPrefixLength(source[(candidate + MinMatch)..]);
            WriteRun(source[literals..at], at - candidate, length, destination);
            at += length;
            literals = at;
        }
        WriteRun(source[literals..], 0, 0, destination);
    }

    private static void WriteRun(ReadOnlySpan<byte> literals, int distance, int length, PooledBuffer destination)
    {
        int extra = length == 0 ? 0 : length - MinMatch;
        destination.WriteByte((byte)(Math.Min(literals.Length, 15) << 4 | Math.Min(extra, 15)));
        WriteMore(literals.Length, destination);
        destination.Write(literals);
        if (length == 0)
            return;
        destination.WriteByte((byte)distance);
        destination.WriteByte((byte)(distance >> 8));
        WriteMore(extra, destination);
    }

    private static void WriteMore(int value, PooledBuffer destination)
    {
        if (value < 15)
            return;
        for (value -= 15; value >= 255; value -= 255)
            destination.WriteByte(255);
        destination.WriteByte((byte)value);
    }

    private static long ReadMore(ReadOnlySpan<byte> source, ref int at)
    {
        long sum = 0;
        while (at < source.Length)
        {
            byte b = source[at++];
            sum += b;
            if (b != 255)
                return sum;
        }
        throw Malformed("a length that is cut off");
    }

    private static CorruptRecordsException Malformed(string what) => new($"Malformed lz4 block: {what}.");
}
