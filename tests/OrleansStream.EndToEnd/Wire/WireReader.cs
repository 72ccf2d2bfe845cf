using System.Buffers.Binary;
using System.Text;

namespace OrleansStream.EndToEnd.Wire;

/// <summary>Reads what <see cref="WireWriter"/> writes.</summary>
internal sealed class WireReader(ReadOnlyMemory<byte> bytes)
{
    private int _at;

    public int Left => bytes.Length - _at;
    public int Position => _at;

    public int Int8() => (sbyte)Take(1).Span[0];
    public short Int16() => BinaryPrimitives.ReadInt16BigEndian(Take(2).Span);
    public int Int32() => BinaryPrimitives.ReadInt32BigEndian(Take(4).Span);
    public long Int64() => BinaryPrimitives.ReadInt64BigEndian(Take(8).Span);

    public string? Text()
    {
        var length = Int16();
        return length < 0 ? null : Encoding.UTF8.GetString(Take(length).Span);
    }

    public ReadOnlyMemory<byte> Blob()
    {
        var length = Int32();
        return length < 0 ? default : Take(length);
    }

    public long VarInt()
    {
        ulong value = 0;
        for (var shift = 0; ; shift += 7)
        {
            var b = Take(1).Span[0];
            value |= (ulong)(b & 0x7f) << shift;
            if (b < 0x80) return (long)(value >> 1) ^ -(long)(value & 1);
        }
    }

    /// <summary>An unsigned variable-length integer, as flexible versions have (KIP-482).</summary>
    public uint Unsigned()
    {
        uint value = 0;
        for (var shift = 0; ; shift += 7)
        {
            var b = Take(1).Span[0];
            value |= (uint)(b & 0x7f) << shift;
            if (b < 0x80) return value;
        }
    }

    public string CompactText() => Encoding.UTF8.GetString(Take((int)Unsigned() - 1).Span);

    public ReadOnlyMemory<byte>? VarBlob()
    {
        var length = VarInt();
        return length < 0 ? null : Take((int)length);
    }

    public List<T> Array<T>(Func<WireReader, T> read)
    {
        var items = new List<T>();
        for (var left = Int32(); left > 0; left--) items.Add(read(this));
        return items;
    }

    public ReadOnlyMemory<byte> Take(int count)
    {
        if (count < 0 || count > Left) throw new EndOfStreamException($"{count} bytes wanted at {_at}, {Left} left");
        _at += count;
        return bytes.Slice(_at - count, count);
    }
}
