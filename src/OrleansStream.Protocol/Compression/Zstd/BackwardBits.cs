using System.Buffers.Binary;
using System.Numerics;
using System.Runtime.CompilerServices;

namespace OrleansStream.Protocol.Compression;

/// <summary>
/// A bit stream that is read from its end to its beginning. The highest bit set in the last byte only marks the end. Reading beyond the beginning
/// gives zeros and a negative <see cref="Left"/>; the caller checks that at the places where it matters.
/// </summary>
internal ref struct BackwardBits
{
    /// <summary>Most bits that one read may ask for.</summary>
    public const int MaxRead = 56;

    private readonly ReadOnlySpan<byte> _data;

    public BackwardBits(ReadOnlySpan<byte> data)
    {
        if (data.IsEmpty || data[^1] == 0)
            throw ZstdFormat.Malformed("a bit stream without an end mark");
        _data = data;
        Left = 8 * (data.Length - 1) + BitOperations.Log2(data[^1]);
    }

    /// <summary>Bits that are not read yet.</summary>
    public int Left { get; private set; }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public ulong Read(int count)
    {
        ulong value = Peek(count);
        Left -= count;
        return value;
    }

    public void Skip(int count) => Left -= count;

    /// <summary>The next <paramref name="count"/> bits, the first of them the highest.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public readonly ulong Peek(int count)
    {
        int from = Left - count;
        if (from >= 0 && (from >> 3) + 8 <= _data.Length)
            return BinaryPrimitives.ReadUInt64LittleEndian(_data[(from >> 3)..]) >> (from & 7) & ((1UL << count) - 1);
        return PeekAtEdge(from, count);
    }

    private readonly ulong PeekAtEdge(int from, int count)
    {
        int shortage = 0;
        if (from < 0)
        {
            shortage = -from;
            if (shortage >= count)
                return 0;
            count -= shortage;
            from = 0;
        }
        ulong word = 0;
        int first = from >> 3;
        for (int i = Math.Min(_data.Length - first, 8) - 1; i >= 0; i--)
            word = word << 8 | _data[first + i];
        return (word >> (from & 7) & ((1UL << count) - 1)) << shortage;
    }
}
