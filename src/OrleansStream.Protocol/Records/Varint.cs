using System.Runtime.CompilerServices;

namespace OrleansStream.Protocol.Records;

/// <summary>
/// The integers inside records: zigzag, then seven bits a byte, lowest first. At most five bytes for an int, ten for a long.
/// </summary>
internal static class Varint
{
    public const int MaxIntBytes = 5;
    public const int MaxLongBytes = 10;

    /// <summary>Reads an int at <paramref name="at"/> and moves behind it; false where it is cut off or too long.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool TryRead(ReadOnlySpan<byte> data, ref int at, out int value)
    {
        if ((uint)at < (uint)data.Length && data[at] < 0x80)
        {
            int small = data[at++];
            value = small >> 1 ^ -(small & 1);
            return true;
        }
        return TryReadLonger(data, ref at, out value);
    }

    private static bool TryReadLonger(ReadOnlySpan<byte> data, ref int at, out int value)
    {
        uint raw = 0;
        for (int i = 0; i < MaxIntBytes && (uint)(at + i) < (uint)data.Length; i++)
        {
            byte b = data[at + i];
            raw |= (uint)(b & 0x7F) << (7 * i);
            if (b >= 0x80)
                continue;
            at += i + 1;
            value = (int)(raw >> 1) ^ -(int)(raw & 1);
            return true;
        }
        value = 0;
        return false;
    }

    /// <summary>Reads a long at <paramref name="at"/> and moves behind it; false where it is cut off or too long.</summary>
    public static bool TryRead(ReadOnlySpan<byte> data, ref int at, out long value)
    {
        ulong raw = 0;
        for (int i = 0; i < MaxLongBytes && (uint)(at + i) < (uint)data.Length; i++)
        {
            byte b = data[at + i];
            raw |= (ulong)(b & 0x7F) << (7 * i);
            if (b >= 0x80)
                continue;
            at += i + 1;
            value = (long)(raw >> 1) ^ -(long)(raw & 1);
            return true;
        }
        value = 0;
        return false;
    }

    /// <summary>Writes a value and returns how many bytes it took. An int and the long of the same value have the same form.</summary>
    public static int Write(Span<byte> destination, long value)
    {
        ulong raw = (ulong)(value << 1 ^ value >> 63);
        int length = 0;
        while (raw >= 0x80)
        {
            destination[length++] = (byte)(raw | 0x80);
            raw >>= 7;
        }
        destination[length++] = (byte)raw;
        return length;
    }

    /// <summary>Bytes that <see cref="Write"/> will take.</summary>
    public static int Size(long value)
    {
        ulong raw = (ulong)(value << 1 ^ value >> 63);
        int bits = 64 - System.Numerics.BitOperations.LeadingZeroCount(raw | 1);
        return (bits + 6) / 7;
    }
}
