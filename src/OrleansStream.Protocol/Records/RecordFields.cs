namespace OrleansStream.Protocol.Records;

/// <summary>Reads the fields of a record from contiguous bytes; throws <see cref="CorruptRecordsException"/> where they do not fit.</summary>
internal static class RecordFields
{
    public static int ReadInt(ReadOnlySpan<byte> data, scoped ref int at) =>
        Varint.TryRead(data, ref at, out int value) ? value : throw Malformed("an integer that is cut off");

    public static long ReadLong(ReadOnlySpan<byte> data, scoped ref int at) =>
        Varint.TryRead(data, ref at, out long value) ? value : throw Malformed("an integer that is cut off");

    /// <summary>A length and so many bytes; length -1 is null.</summary>
    public static ReadOnlySpan<byte> ReadBytes(ReadOnlySpan<byte> data, scoped ref int at, out bool present)
    {
        int length = ReadInt(data, ref at);
        present = length >= 0;
        if (length < -1 || length > data.Length - at)
            throw Malformed("a length outside of its record");
        if (!present)
            return default;
        ReadOnlySpan<byte> bytes = data.Slice(at, length);
        at += length;
        return bytes;
    }

    public static CorruptRecordsException Malformed(string what) => new($"Malformed record: {what}.");
}
