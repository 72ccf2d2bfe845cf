using System.Numerics;
using System.Runtime.InteropServices;

namespace OrleansStream.Storage.Segments;

/// <summary>CRC32C, until the one of Protocol is here.</summary>
internal static class Crc32C
{
    public static uint Compute(ReadOnlySpan<byte> bytes) => Append(0, bytes);

    public static uint Append(uint crc, ReadOnlySpan<byte> bytes)
    {
        crc = ~crc;
        var words = MemoryMarshal.Cast<byte, ulong>(bytes);
        foreach (var word in words)
            crc = BitOperations.Crc32C(crc, word);
        foreach (var b in bytes[(words.Length * 8)..])
            crc = BitOperations.Crc32C(crc, b);
        return ~crc;
    }
}
