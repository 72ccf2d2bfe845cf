using System.Buffers;
using System.Buffers.Binary;
using System.Text;

namespace OrleansStream.EndToEnd.Wire;

/// <summary>Kafka's primitives in their fixed (not compact) forms. Written for the tests alone, so that a mistake of the product's codecs shows.</summary>
internal sealed class WireWriter
{
    private readonly ArrayBufferWriter<byte> _bytes = new();

    public ReadOnlyMemory<byte> Bytes => _bytes.WrittenMemory;

    public WireWriter Int8(int value) { _bytes.GetSpan(1)[0] = (byte)value; _bytes.Advance(1); return this; }
    public WireWriter Int16(int value) { BinaryPrimitives.WriteInt16BigEndian(_bytes.GetSpan(2), (short)value); _bytes.Advance(2); return this; }
    public WireWriter Int32(int value) { BinaryPrimitives.WriteInt32BigEndian(_bytes.GetSpan(4), value); _bytes.Advance(4); return this; }
    public WireWriter Int64(long value) { BinaryPrimitives.WriteInt64BigEndian(_bytes.GetSpan(8), value); _bytes.Advance(8); return this; }
    public WireWriter Raw(ReadOnlySpan<byte> value) { _bytes.Write(value); return this; }

    public WireWriter Text(string? value)
    {
        if (value is null) return Int16(-1);
        var bytes = Encoding.UTF8.GetBytes(value);
        return Int16(bytes.Length).Raw(bytes);
    }

    public WireWriter Blob(ReadOnlySpan<byte> value) => Int32(value.Length).Raw(value);

    /// <summary>A zigzag variable-length integer, as records have.</summary>
    public WireWriter VarInt(long value)
    {
        for (var rest = (ulong)((value << 1) ^ (value >> 63)); ; rest >>= 7)
        {
            if (rest < 0x80) return Int8((int)rest);
            Int8((int)(rest & 0x7f | 0x80));
        }
    }

    /// <summary>An unsigned variable-length integer, as flexible versions have (KIP-482).</summary>
    public WireWriter Unsigned(uint value)
    {
        for (; value >= 0x80; value >>= 7) Int8((int)(value & 0x7f | 0x80));
        return Int8((int)value);
    }

    /// <summary>A text in the compact form of flexible versions.</summary>
    public WireWriter CompactText(string value)
    {
        var bytes = Encoding.UTF8.GetBytes(value);
        return Unsigned((uint)bytes.Length + 1).Raw(bytes);
    }

    public WireWriter VarBlob(ReadOnlyMemory<byte>? value) => value is { } bytes ? VarInt(bytes.Length).Raw(bytes.Span) : VarInt(-1);

    public WireWriter Array<T>(IReadOnlyCollection<T> items, Action<WireWriter, T> write)
    {
        Int32(items.Count);
        foreach (var item in items) write(this, item);
        return this;
    }
}
