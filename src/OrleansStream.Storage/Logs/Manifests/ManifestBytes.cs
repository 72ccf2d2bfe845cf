using System.Buffers;
using System.Buffers.Binary;
using System.Text;
using OrleansStream.Protocol.Records;

namespace OrleansStream.Storage.Logs;

/// <summary>Writes the fields of manifests and index objects.</summary>
internal sealed class ManifestWriter
{
    private readonly ArrayBufferWriter<byte> _out = new(1024);

    public void Bool(bool value) => Take(1)[0] = value ? (byte)1 : (byte)0;
    public void UInt16(ushort value) => BinaryPrimitives.WriteUInt16BigEndian(Take(2), value);
    public void Int32(int value) => BinaryPrimitives.WriteInt32BigEndian(Take(4), value);
    public void UInt32(uint value) => BinaryPrimitives.WriteUInt32BigEndian(Take(4), value);
    public void Int64(long value) => BinaryPrimitives.WriteInt64BigEndian(Take(8), value);
    public void Guid(Guid value) => value.TryWriteBytes(Take(16), bigEndian: true, out _);

    public void Bytes(ReadOnlyMemory<byte> value)
    {
        Int32(value.Length);
        value.Span.CopyTo(Take(value.Length));
    }

    /// <summary>An object's name; the partition's own prefix is left out, as most names share it.</summary>
    public void Name(string name, string prefix)
    {
        var own = name.StartsWith(prefix, StringComparison.Ordinal);
        var rest = own ? name.AsSpan(prefix.Length) : name;
        Bool(own);
        UInt16(checked((ushort)Encoding.ASCII.GetByteCount(rest)));
        Encoding.ASCII.GetBytes(rest, Take(rest.Length));
    }

    /// <summary>Adds the checksum and gives the bytes.</summary>
    public byte[] Finish()
    {
        UInt32(Crc32C.Compute(_out.WrittenSpan));
        return _out.WrittenSpan.ToArray();
    }

    private Span<byte> Take(int length)
    {
        var span = _out.GetSpan(Math.Max(1, length))[..length];
        _out.Advance(length);
        return span;
    }
}

/// <summary>Reads the same; whatever does not fit is corruption, said with the place it was found in.</summary>
internal ref struct ManifestReader(ReadOnlySpan<byte> bytes, string prefix, string what)
{
    private readonly ReadOnlySpan<byte> _all = bytes;
    private readonly string _prefix = prefix;
    private readonly string _what = what;
    private int _at;
    private int _end = bytes.Length;

    public bool Bool() => Take(1)[0] != 0;
    public ushort UInt16() => BinaryPrimitives.ReadUInt16BigEndian(Take(2));
    public int Int32() => BinaryPrimitives.ReadInt32BigEndian(Take(4));
    public uint UInt32() => BinaryPrimitives.ReadUInt32BigEndian(Take(4));
    public long Int64() => BinaryPrimitives.ReadInt64BigEndian(Take(8));
    public Guid Guid() => new(Take(16), bigEndian: true);
    public byte[] Bytes() => Take(Int32()).ToArray();

    public string Name()
    {
        var own = Bool();
        var rest = Encoding.ASCII.GetString(Take(UInt16()));
        return own ? _prefix + rest : rest;
    }

    /// <summary>A count of elements of at least <paramref name="elementBytes"/> each: a count that the bytes cannot hold is corruption.</summary>
    public int Count(int elementBytes)
    {
        var count = Int32();
        if (count < 0 || (long)count * elementBytes > _end - _at)
            throw Corrupt();
        return count;
    }

    /// <summary>Checks the checksum at the end, which further reads then stop before.</summary>
    public void CheckCrc()
    {
        if (Crc32C.Compute(_all[..^4]) != BinaryPrimitives.ReadUInt32BigEndian(_all[^4..]))
            throw Corrupt();
        _end = _all.Length - 4;
    }

    public readonly void End()
    {
        if (_at != _end)
            throw Corrupt();
    }

    private ReadOnlySpan<byte> Take(int length)
    {
        if (length < 0 || length > _end - _at)
            throw Corrupt();
        _at += length;
        return _all.Slice(_at - length, length);
    }

    private readonly LogCorruptException Corrupt() =>
        new($"The {_what} under '{_prefix}' is corrupt at byte {_at} of {_all.Length}: its bytes are not those that were written.");
}
