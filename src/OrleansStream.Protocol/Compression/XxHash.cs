using System.Buffers.Binary;
using System.Numerics;

namespace OrleansStream.Protocol.Compression;

/// <summary>xxHash with seed 0 (the algorithm's specification 0.1.1): 32 bits for lz4 frames, 64 bits for zstd.</summary>
internal static class XxHash
{
    private const uint A32 = 0x9E3779B1, B32 = 0x85EBCA77, C32 = 0xC2B2AE3D, D32 = 0x27D4EB2F, E32 = 0x165667B1;
    private const ulong A64 = 0x9E3779B185EBCA87, B64 = 0xC2B2AE3D27D4EB4F, C64 = 0x165667B19E3779F9, D64 = 0x85EBCA77C2B2AE63, E64 = 0x27D4EB2F165667C5;

    public static uint Hash32(ReadOnlySpan<byte> data)
    {
        uint hash;
        uint length = (uint)data.Length;
        if (data.Length >= 16)
        {
            uint first = unchecked(A32 + B32), second = B32, third = 0, fourth = unchecked(0 - A32);
            while (data.Length >= 16)
            {
                first = Round(first, BinaryPrimitives.ReadUInt32LittleEndian(data));
                second = Round(second, BinaryPrimitives.ReadUInt32LittleEndian(data[4..]));
                third = Round(third, BinaryPrimitives.ReadUInt32LittleEndian(data[8..]));
                fourth = Round(fourth, BinaryPrimitives.ReadUInt32LittleEndian(data[12..]));
                data = data[16..];
            }
            hash = BitOperations.RotateLeft(first, 1) + BitOperations.RotateLeft(second, 7)
                + BitOperations.RotateLeft(third, 12) + BitOperations.RotateLeft(fourth, 18);
        }
        else
        {
            hash = E32;
        }
        hash += length;
        for (; data.Length >= 4; data = data[4..])
            hash = BitOperations.RotateLeft(hash + BinaryPrimitives.ReadUInt32LittleEndian(data) * C32, 17) * D32;
        foreach (byte b in data)
            hash = BitOperations.RotateLeft(hash + b * E32, 11) * A32;
        hash = (hash ^ hash >> 15) * B32;
        hash = (hash ^ hash >> 13) * C32;
        return hash ^ hash >> 16;
    }

    public static ulong Hash64(ReadOnlySpan<byte> data)
    {
        ulong hash;
        ulong length = (ulong)data.Length;
        if (data.Length >= 32)
        {
            ulong first = unchecked(A64 + B64), second = B64, third = 0, fourth = unchecked(0 - A64);
            while (data.Length >= 32)
            {
                first = Round(first, BinaryPrimitives.ReadUInt64LittleEndian(data));
                second = Round(second, BinaryPrimitives.ReadUInt64LittleEndian(data[8..]));
                third = Round(third, BinaryPrimitives.ReadUInt64LittleEndian(data[16..]));
                fourth = Round(fourth, BinaryPrimitives.ReadUInt64LittleEndian(data[24..]));
                data = data[32..];
            }
            hash = BitOperations.RotateLeft(first, 1) + BitOperations.RotateLeft(second, 7)
                + BitOperations.RotateLeft(third, 12) + BitOperations.RotateLeft(fourth, 18);
            hash = Merge(Merge(Merge(Merge(hash, first), second), third), fourth);
        }
        else
        {
            hash = E64;
        }
        hash += length;
        for (; data.Length >= 8; data = data[8..])
            hash = BitOperations.RotateLeft(hash ^ Round(0, BinaryPrimitives.ReadUInt64LittleEndian(data)), 27) * A64 + D64;
        if (data.Length >= 4)
        {
            hash = BitOperations.RotateLeft(hash ^ BinaryPrimitives.ReadUInt32LittleEndian(data) * A64, 23) * B64 + C64;
            data = data[4..];
        }
        foreach (byte b in data)
            hash = BitOperations.RotateLeft(hash ^ b * E64, 11) * A64;
        hash = (hash ^ hash >> 33) * B64;
        hash = (hash ^ hash >> 29) * C64;
        return hash ^ hash >> 32;
    }

    private static uint Round(uint lane, uint word) => BitOperations.RotateLeft(lane + word * B32, 13) * A32;

    private static ulong Round(ulong lane, ulong word) => BitOperations.RotateLeft(lane + word * B64, 31) * A64;

    private static ulong Merge(ulong hash, ulong lane) => (hash ^ Round(0, lane)) * A64 + D64;
}
