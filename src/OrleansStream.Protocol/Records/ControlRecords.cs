using System.Buffers.Binary;

namespace OrleansStream.Protocol.Records;

/// <summary>What a control record of a transaction says (KIP-98): the second field of its key.</summary>
public enum ControlRecordType : short
{
    Abort = 0,
    Commit = 1,
}

/// <summary>Reads and writes the key and value of the markers that end a transaction. Both have version 0 in front.</summary>
public static class ControlRecords
{
    public const int KeySize = 4;
    public const int ValueSize = 6;

    /// <summary>The type in a control record's key; false where the key is none. Types above 1 belong to others than transactions.</summary>
    public static bool TryReadType(ReadOnlySpan<byte> key, out ControlRecordType type)
    {
        type = default;
        if (key.Length < KeySize || BinaryPrimitives.ReadInt16BigEndian(key) < 0)
            return false;
        type = (ControlRecordType)BinaryPrimitives.ReadInt16BigEndian(key[2..]);
        return true;
    }

    /// <summary>The epoch of the transaction coordinator that wrote the marker; false where the value is none.</summary>
    public static bool TryReadCoordinatorEpoch(ReadOnlySpan<byte> value, out int epoch)
    {
        epoch = 0;
        return value.Length >= ValueSize && BinaryPrimitives.TryReadInt32BigEndian(value[2..], out epoch);
    }

    public static void WriteKey(Span<byte> destination, ControlRecordType type)
    {
        BinaryPrimitives.WriteInt16BigEndian(destination, 0);
        BinaryPrimitives.WriteInt16BigEndian(destination[2..], (short)type);
    }

    public static void WriteValue(Span<byte> destination, int coordinatorEpoch)
    {
        BinaryPrimitives.WriteInt16BigEndian(destination, 0);
        BinaryPrimitives.WriteInt32BigEndian(destination[2..], coordinatorEpoch);
    }
}
