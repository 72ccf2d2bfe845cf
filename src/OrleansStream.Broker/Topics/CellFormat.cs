using System.Buffers.Binary;
using System.Text;
using OrleansStream.Protocol.Records;
using OrleansStream.Storage;

namespace OrleansStream.Broker.Topics;

/// <summary>What a cell holds; the first thing behind its magic, so that no object is taken for another.</summary>
internal enum CellKind : byte
{
    ClusterId = 1,
    Topic = 2,
    Configs = 3,
    ProducerIds = 4,
    Owner = 5,
    Assignment = 6,
}

/// <summary>
/// The frame of a small object that is compared and swapped (docs/storage-format.md, section Topics). Integers are big-endian:
/// <code>
/// magic      4  "OSCL"
/// kind       1  CellKind
/// version    1  of the body
/// change id 16  random, another one for each write: tells whether a write whose answer was lost is the one that is there
/// length     4  of the body
/// body
/// crc        4  CRC-32C of all before it
/// </code>
/// </summary>
internal static class CellFormat
{
    private const int HeaderLength = 26;
    private static ReadOnlySpan<byte> Magic => "OSCL"u8;

    public static byte[] Frame(CellKind kind, byte version, Guid changeId, ReadOnlySpan<byte> body)
    {
        var bytes = new byte[HeaderLength + body.Length + 4];
        Magic.CopyTo(bytes);
        bytes[4] = (byte)kind;
        bytes[5] = version;
        changeId.TryWriteBytes(bytes.AsSpan(6), bigEndian: true, out _);
        BinaryPrimitives.WriteInt32BigEndian(bytes.AsSpan(22), body.Length);
        body.CopyTo(bytes.AsSpan(HeaderLength));
        BinaryPrimitives.WriteUInt32BigEndian(bytes.AsSpan(bytes.Length - 4), Crc32C.Compute(bytes.AsSpan(0, bytes.Length - 4)));
        return bytes;
    }

    /// <summary>Answers the body. Throws <see cref="InvalidDataException"/> for a damaged object, <see cref="UnsupportedFormatException"/> for a newer one.</summary>
    public static ReadOnlyMemory<byte> Open(string name, CellKind kind, byte newestVersion, ReadOnlyMemory<byte> bytes)
    {
        var span = bytes.Span;
        if (span.Length < HeaderLength + 4 || !span[..4].SequenceEqual(Magic) || span[4] != (byte)kind)
            throw new InvalidDataException($"object '{name}' is not a {kind} cell of this program");
        // Before the checksum, which a newer format may keep elsewhere.
        if (span[5] > newestVersion)
            throw UnsupportedFormatException.Newer($"object '{name}'", span[5], newestVersion);
        if (Crc32C.Compute(span[..^4]) != BinaryPrimitives.ReadUInt32BigEndian(span[^4..]))
            throw new InvalidDataException($"object '{name}' is damaged: its checksum does not fit");
        if (BinaryPrimitives.ReadInt32BigEndian(span[22..]) != span.Length - HeaderLength - 4)
            throw new InvalidDataException($"object '{name}' is damaged: its length does not fit");
        return bytes[HeaderLength..^4];
    }
}

/// <summary>Writes the body of a cell.</summary>
internal sealed class CellWriter
{
    private readonly MemoryStream _stream = new();

    public ReadOnlySpan<byte> Bytes => _stream.GetBuffer().AsSpan(0, (int)_stream.Length);

    public void Byte(byte value) => _stream.WriteByte(value);

    public void Int(int value)
    {
        Span<byte> bytes = stackalloc byte[4];
        BinaryPrimitives.WriteInt32BigEndian(bytes, value);
        _stream.Write(bytes);
    }

    public void Long(long value)
    {
        Span<byte> bytes = stackalloc byte[8];
        BinaryPrimitives.WriteInt64BigEndian(bytes, value);
        _stream.Write(bytes);
    }

    public void Id(Guid value)
    {
        Span<byte> bytes = stackalloc byte[16];
        value.TryWriteBytes(bytes, bigEndian: true, out _);
        _stream.Write(bytes);
    }

    public void Text(string value)
    {
        var bytes = Encoding.UTF8.GetBytes(value);
        Int(bytes.Length);
        _stream.Write(bytes);
    }

    public void Map(IReadOnlyDictionary<string, string> values)
    {
        Int(values.Count);
        foreach (var (key, value) in values.OrderBy(v => v.Key, StringComparer.Ordinal))
        {
            Text(key);
            Text(value);
        }
    }
}

/// <summary>Reads the body of a cell whose checksum was right: what does not fit is a defect of the writer, and throws.</summary>
internal sealed class CellReader(ReadOnlyMemory<byte> body)
{
    private ReadOnlyMemory<byte> _rest = body;

    private ReadOnlySpan<byte> Take(int length)
    {
        if (length < 0 || length > _rest.Length)
            throw new InvalidDataException("a cell ends before its last field");
        var taken = _rest.Span[..length];
        _rest = _rest[length..];
        return taken;
    }

    public byte Byte() => Take(1)[0];
    public int Int() => BinaryPrimitives.ReadInt32BigEndian(Take(4));
    public long Long() => BinaryPrimitives.ReadInt64BigEndian(Take(8));
    public Guid Id() => new(Take(16), bigEndian: true);
    public string Text() => Encoding.UTF8.GetString(Take(Int()));

    public Dictionary<string, string> Map()
    {
        var count = Int();
        Dictionary<string, string> values = [];
        for (var i = 0; i < count; i++)
            values.Add(Text(), Text());
        return values;
    }
}
