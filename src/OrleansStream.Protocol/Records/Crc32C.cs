using System.Buffers;
using System.Buffers.Binary;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using X86 = System.Runtime.Intrinsics.X86;
using Arm = System.Runtime.Intrinsics.Arm;

namespace OrleansStream.Protocol.Records;

/// <summary>
/// CRC-32C (Castagnoli polynomial, reflected 0x82F63B78), the checksum of a record batch. Uses the processor's instruction where there is one.
/// A checksum returned by one call may be passed to the next to go on where it ended; the checksum of nothing is 0.
/// </summary>
public static class Crc32C
{
    private const uint Polynomial = 0x82F63B78;

    // Three independent lanes hide the instruction's latency of three cycles; 1 KiB keeps the price of joining them below a percent.
    private const int LaneBytes = 1024;

    private static readonly uint[] ByteTables = MakeByteTables();

    // Shifts[k] gives the register after 2^k zero bytes more, by four lookups.
    private static readonly uint[][] Shifts = MakeShiftTables();
    private static readonly uint[] LaneShift = Shifts[System.Numerics.BitOperations.Log2(LaneBytes)];

    /// <summary>The checksum of <paramref name="data"/>.</summary>
    public static uint Compute(ReadOnlySpan<byte> data) => Append(0, data);

    /// <summary>The checksum of <paramref name="data"/>.</summary>
    public static uint Compute(in ReadOnlySequence<byte> data)
    {
        if (data.IsSingleSegment)
            return Append(0, data.FirstSpan);
        uint crc = 0;
        foreach (ReadOnlyMemory<byte> segment in data)
            crc = Append(crc, segment.Span);
        return crc;
    }

    /// <summary>The checksum of what <paramref name="crc"/> covers followed by <paramref name="data"/>.</summary>
    public static uint Append(uint crc, ReadOnlySpan<byte> data)
    {
        if (X86.Sse42.X64.IsSupported)
            return ~AppendX86(~crc, data);
        if (Arm.Crc32.Arm64.IsSupported)
            return ~AppendArm(~crc, data);
        return ~AppendPortable(~crc, data);
    }

    /// <summary>
    /// The checksum of two pieces of data, one behind the other, from the checksum of each and the length in bytes of the second. Takes some tens of
    /// nanoseconds, whatever the length.
    /// </summary>
    public static uint Combine(uint first, uint second, int secondLength)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(secondLength);
        for (int k = 0; secondLength != 0; k++, secondLength >>= 1)
            if ((secondLength & 1) != 0)
                first = Shift(Shifts[k], first);
        return first ^ second;
    }

    /// <summary>The same without the instruction: eight bytes a step by tables. Internal so that tests compare both on every machine.</summary>
    internal static uint AppendByTables(uint crc, ReadOnlySpan<byte> data) => ~AppendPortable(~crc, data);

    private static uint AppendX86(uint register, ReadOnlySpan<byte> data)
    {
        ref byte at = ref MemoryMarshal.GetReference(data);
        int left = data.Length;

        while (left >= 3 * LaneBytes)
        {
            ulong first = register, second = 0, third = 0;
            for (int i = 0; i < LaneBytes; i += 8)
            {
                first = X86.Sse42.X64.Crc32(first, Unsafe.ReadUnaligned<ulong>(ref Unsafe.Add(ref at, i)));
                second = X86.Sse42.X64.Crc32(second, Unsafe.ReadUnaligned<ulong>(ref Unsafe.Add(ref at, i + LaneBytes)));
                third = X86.Sse42.X64.Crc32(third, Unsafe.ReadUnaligned<ulong>(ref Unsafe.Add(ref at, i + 2 * LaneBytes)));
            }
            register = Shift(Shift((uint)first) ^ (uint)second) ^ (uint)third;
            at = ref Unsafe.Add(ref at, 3 * LaneBytes);
            left -= 3 * LaneBytes;
        }

        ulong wide = register;
        while (left >= 8)
        {
            wide = X86.Sse42.X64.Crc32(wide, Unsafe.ReadUnaligned<ulong>(ref at));
            at = ref Unsafe.Add(ref at, 8);
            left -= 8;
        }
        register = (uint)wide;
        while (left-- > 0)
        {
            register = X86.Sse42.Crc32(register, at);
            at = ref Unsafe.Add(ref at, 1);
        }
        return register;
    }

    private static uint AppendArm(uint register, ReadOnlySpan<byte> data)
    {
        ref byte at = ref MemoryMarshal.GetReference(data);
        int left = data.Length;

        while (left >= 3 * LaneBytes)
        {
            uint first = register, second = 0, third = 0;
            for (int i = 0; i < LaneBytes; i += 8)
            {
                first = Arm.Crc32.Arm64.ComputeCrc32C(first, Unsafe.ReadUnaligned<ulong>(ref Unsafe.Add(ref at, i)));
                second = Arm.Crc32.Arm64.ComputeCrc32C(second, Unsafe.ReadUnaligned<ulong>(ref Unsafe.Add(ref at, i + LaneBytes)));
                third = Arm.Crc32.Arm64.ComputeCrc32C(third, Unsafe.ReadUnaligned<ulong>(ref Unsafe.Add(ref at, i + 2 * LaneBytes)));
            }
            register = Shift(Shift(first) ^ second) ^ third;
            at = ref Unsafe.Add(ref at, 3 * LaneBytes);
            left -= 3 * LaneBytes;
        }

        while (left >= 8)
        {
            register = Arm.Crc32.Arm64.ComputeCrc32C(register, Unsafe.ReadUnaligned<ulong>(ref at));
            at = ref Unsafe.Add(ref at, 8);
            left -= 8;
        }
        while (left-- > 0)
        {
            register = Arm.Crc32.ComputeCrc32C(register, at);
            at = ref Unsafe.Add(ref at, 1);
        }
        return register;
    }

    private static uint AppendPortable(uint register, ReadOnlySpan<byte> data)
    {
        uint[] t = ByteTables;
        while (data.Length >= 8)
        {
            uint low = BinaryPrimitives.ReadUInt32LittleEndian(data) ^ register;
            uint high = BinaryPrimitives.ReadUInt32LittleEndian(data[4..]);
            register = t[7 * 256 + (low & 0xFF)] ^ t[6 * 256 + (low >> 8 & 0xFF)] ^ t[5 * 256 + (low >> 16 & 0xFF)] ^ t[4 * 256 + (low >> 24)]
                ^ t[3 * 256 + (high & 0xFF)] ^ t[2 * 256 + (high >> 8 & 0xFF)] ^ t[256 + (high >> 16 & 0xFF)] ^ t[high >> 24];
            data = data[8..];
        }
        foreach (byte b in data)
            register = register >> 8 ^ t[(register ^ b) & 0xFF];
        return register;
    }

    /// <summary>The register after <see cref="LaneBytes"/> zero bytes more: what joins a lane to the one behind it.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static uint Shift(uint register) => Shift(LaneShift, register);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static uint Shift(uint[] t, uint register) =>
        t[register & 0xFF] ^ t[256 + (register >> 8 & 0xFF)] ^ t[512 + (register >> 16 & 0xFF)] ^ t[768 + (register >> 24)];

    /// <summary>Table k holds the effect of a byte that stands k bytes before the end of the step.</summary>
    private static uint[] MakeByteTables()
    {
        var tables = new uint[8 * 256];
        for (uint b = 0; b < 256; b++)
        {
            uint register = b;
            for (int bit = 0; bit < 8; bit++)
                register = register >> 1 ^ (Polynomial & (0u - (register & 1)));
            tables[b] = register;
        }
        for (int i = 256; i < tables.Length; i++)
            tables[i] = tables[i - 256] >> 8 ^ tables[tables[i - 256] & 0xFF];
        return tables;
    }

    private static uint[][] MakeShiftTables()
    {
        var all = new uint[31][];
        all[0] = MakeShiftTable(static register => register >> 8 ^ ByteTables[register & 0xFF]);
        for (int k = 1; k < all.Length; k++)
        {
            uint[] half = all[k - 1];
            all[k] = MakeShiftTable(register => Shift(half, Shift(half, register)));
        }
        return all;
    }

    /// <summary>A shift is linear, so the images of the 32 single bits give it for every register.</summary>
    private static uint[] MakeShiftTable(Func<uint, uint> shift)
    {
        var tables = new uint[4 * 256];
        for (int bit = 0; bit < 32; bit++)
        {
            uint image = shift(1u << bit);
            int table = bit / 8 * 256;
            for (int b = 0; b < 256; b++)
                if ((b >> (bit & 7) & 1) != 0)
                    tables[table + b] ^= image;
        }
        return tables;
    }
}
