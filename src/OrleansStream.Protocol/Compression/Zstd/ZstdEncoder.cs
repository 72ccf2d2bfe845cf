using System.Buffers;
using System.Buffers.Binary;
using Sequence = OrleansStream.Protocol.Compression.ZstdSequences.Sequence;

namespace OrleansStream.Protocol.Compression;

/// <summary>
/// Writes zstd frames (RFC 8878), plainly: greedy matches over a window of 1 MiB, predefined tables for the sequences, Huffman or raw literals,
/// raw blocks where that is shorter. Meant for internal topics and recompression by the broker; clients bring better encoders of their own.
/// </summary>
internal static class ZstdEncoder
{
    private const int WindowLog = 20;
    private const int HashBits = 15;
    private const int MinMatch = 4;
    private const int MaxSequences = ZstdFormat.MaxBlock / MinMatch;

    public static void Compress(ReadOnlySpan<byte> source, PooledBuffer destination)
    {
        WriteHeader(source.Length, destination);
        if (source.IsEmpty)
        {
            WriteBlockHead(true, ZstdFormat.BlockRaw, 0, destination);
            return;
        }
        int[] lastSeen = ArrayPool<int>.Shared.Rent(1 << HashBits);
        Sequence[] sequences = ArrayPool<Sequence>.Shared.Rent(MaxSequences);
        byte[] literals = ArrayPool<byte>.Shared.Rent(ZstdFormat.MaxBlock);
        try
        {
            lastSeen.AsSpan(0, 1 << HashBits).Fill(-1);
            int lastDistance = ZstdFormat.FirstDistances[0];
            for (int start = 0; start < source.Length; start += ZstdFormat.MaxBlock)
            {
                int end = Math.Min(source.Length, start + ZstdFormat.MaxBlock);
                int distanceBefore = lastDistance;
                int count = Match(source[..end], start, lastSeen, ref lastDistance, sequences, literals, out int literalCount);
                if (!TryWriteCompressed(end == source.Length, end - start, sequences.AsSpan(0, count), literals.AsSpan(0, literalCount), destination))
                {
                    // A raw block leaves the distances as they were.
                    lastDistance = distanceBefore;
                    WriteBlockHead(end == source.Length, ZstdFormat.BlockRaw, end - start, destination);
                    destination.Write(source[start..end]);
                }
            }
        }
        finally
        {
            ArrayPool<int>.Shared.Return(lastSeen);
            ArrayPool<Sequence>.Shared.Return(sequences);
            ArrayPool<byte>.Shared.Return(literals);
        }
    }

    /// <summary>Cuts source[start..] into sequences; what follows the last of them stands at the end of the literals.</summary>
    private static int Match(
        ReadOnlySpan<byte> source, int start, Span<int> lastSeen, ref int lastDistance, Span<Sequence> sequences, Span<byte> literals,
        out int literalCount)
    {
        int count = 0;
        int pending = start;
        int at = start;
        int misses = 0;
        literalCount = 0;
        while (at + MinMatch <= source.Length)
        {
            uint word = BinaryPrimitives.ReadUInt32LittleEndian(source[at..]);
            int slot = (int)(word * 0x9E3779B1 >> 32 - HashBits);
            int candidate = lastSeen[slot];
            lastSeen[slot] = at;
            if (candidate < 0 || at - candidate > 1 << WindowLog || BinaryPrimitives.ReadUInt32LittleEndian(source[candidate..]) != word)
            {
                at += 1 + (misses++ >> 6);
                continue;
            }
            misses = 0;
            int length = MinMatch + source[(at + MinMatch)..].CommonPrefixLength(source[(candidate + MinMatch)..]);
            int distance = at - candidate;
            int literalLength = at - pending;
            source[pending..at].CopyTo(literals[literalCount..]);
            literalCount += literalLength;

            // 1 means the distance before only where literals precede the match.
            bool again = distance == lastDistance && literalLength > 0;
            sequences[count++] = new Sequence(literalLength, again ? 1 : distance + 3, length);
            lastDistance = distance;
            at += length;
            pending = at;
        }
        source[pending..].CopyTo(literals[literalCount..]);
        literalCount += source.Length - pending;
        return count;
    }

    private static bool TryWriteCompressed(
        bool last, int size, ReadOnlySpan<Sequence> sequences, ReadOnlySpan<byte> literals, PooledBuffer destination)
    {
        int start = destination.Length;
        WriteBlockHead(last, ZstdFormat.BlockCompressed, 0, destination);
        ZstdLiterals.Write(literals, destination);
        ZstdSequences.Write(sequences, destination);
        int compressed = destination.Length - start - 3;
        if (compressed >= size)
        {
            destination.Truncate(start);
            return false;
        }
        PutBlockHead(destination.Written[start..], last, ZstdFormat.BlockCompressed, compressed);
        return true;
    }

    private static void WriteHeader(int size, PooledBuffer destination)
    {
        Span<byte> header = stackalloc byte[10];
        BinaryPrimitives.WriteUInt32LittleEndian(header, ZstdFormat.Magic);
        bool singleSegment = size <= 1 << WindowLog;
        header[4] = (byte)(2 << 6 | (singleSegment ? 0x20 : 0));
        int at = 5;
        if (!singleSegment)
            header[at++] = WindowLog - 10 << 3;
        BinaryPrimitives.WriteInt32LittleEndian(header[at..], size);
        destination.Write(header[..(at + 4)]);
    }

    private static void WriteBlockHead(bool last, int type, int size, PooledBuffer destination)
    {
        PutBlockHead(destination.Reserve(3), last, type, size);
        destination.Advance(3);
    }

    private static void PutBlockHead(Span<byte> at, bool last, int type, int size)
    {
        int word = size << 3 | type << 1 | (last ? 1 : 0);
        at[0] = (byte)word;
        at[1] = (byte)(word >> 8);
        at[2] = (byte)(word >> 16);
    }
}
