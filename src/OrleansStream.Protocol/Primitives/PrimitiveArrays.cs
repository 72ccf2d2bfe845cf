using System.Buffers.Binary;
using System.Runtime.InteropServices;

namespace OrleansStream.Protocol;

/// <summary>Arrays of fixed-width elements, which cross as one block: read and checked at once, then turned to the machine's byte order.</summary>
public static class PrimitiveArrays
{
    public static sbyte[]? ReadInt8Array(ref this KafkaReader r, bool compact) => Read<sbyte>(ref r, compact);

    public static short[]? ReadInt16Array(ref this KafkaReader r, bool compact)
    {
        short[]? values = Read<short>(ref r, compact);
        if (BitConverter.IsLittleEndian)
            BinaryPrimitives.ReverseEndianness(values, values);
        return values;
    }

    public static int[]? ReadInt32Array(ref this KafkaReader r, bool compact)
    {
        int[]? values = Read<int>(ref r, compact);
        if (BitConverter.IsLittleEndian)
            BinaryPrimitives.ReverseEndianness(values, values);
        return values;
    }

    public static long[]? ReadInt64Array(ref this KafkaReader r, bool compact)
    {
        long[]? values = Read<long>(ref r, compact);
        if (BitConverter.IsLittleEndian)
            BinaryPrimitives.ReverseEndianness(values, values);
        return values;
    }

    public static Guid[]? ReadUuidArray(ref this KafkaReader r, bool compact)
    {
        int count = r.ReadNullableArrayLength(compact, 16);
        if (count <= 0)
            return count < 0 ? null : [];
        var values = new Guid[count];
        for (int i = 0; i < count; i++)
            values[i] = r.ReadUuid();
        return values;
    }

    public static void WriteInt8Array(this KafkaWriter w, bool compact, sbyte[]? values)
    {
        w.WriteArrayLength(compact, values?.Length ?? -1);
        w.WriteRaw(MemoryMarshal.AsBytes(values.AsSpan()));
    }

    public static void WriteInt16Array(this KafkaWriter w, bool compact, short[]? values)
    {
        w.WriteArrayLength(compact, values?.Length ?? -1);
        foreach (short value in values ?? [])
            w.WriteInt16(value);
    }

    public static void WriteInt32Array(this KafkaWriter w, bool compact, int[]? values)
    {
        w.WriteArrayLength(compact, values?.Length ?? -1);
        foreach (int value in values ?? [])
            w.WriteInt32(value);
    }

    public static void WriteInt64Array(this KafkaWriter w, bool compact, long[]? values)
    {
        w.WriteArrayLength(compact, values?.Length ?? -1);
        foreach (long value in values ?? [])
            w.WriteInt64(value);
    }

    public static void WriteUuidArray(this KafkaWriter w, bool compact, Guid[]? values)
    {
        w.WriteArrayLength(compact, values?.Length ?? -1);
        foreach (Guid value in values ?? [])
            w.WriteUuid(value);
    }

    private static T[]? Read<T>(ref KafkaReader r, bool compact) where T : unmanaged
    {
        int count = r.ReadNullableArrayLength(compact, Marshal.SizeOf<T>());
        if (count <= 0)
            return count < 0 ? null : [];
        T[] values = GC.AllocateUninitializedArray<T>(count);
        r.ReadInto(MemoryMarshal.AsBytes(values.AsSpan()));
        return values;
    }
}
