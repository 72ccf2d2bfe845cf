namespace OrleansStream.Protocol.Records;

/// <summary>
/// One record, as a view of its batch's decompressed bytes: valid as long as they are. A null key or value is empty, and
/// <see cref="HasKey"/> or <see cref="HasValue"/> is false. The timestamp is milliseconds since 1970 UTC, -1 for none.
/// </summary>
public readonly ref struct Record
{
    internal Record(
        long offset, long timestamp, byte attributes, ReadOnlySpan<byte> key, bool hasKey, ReadOnlySpan<byte> value, bool hasValue,
        RecordHeaders headers)
    {
        Offset = offset;
        Timestamp = timestamp;
        Attributes = attributes;
        Key = key;
        HasKey = hasKey;
        Value = value;
        HasValue = hasValue;
        Headers = headers;
    }

    public long Offset { get; }
    public long Timestamp { get; }

    /// <summary>No bit of them has a meaning today.</summary>
    public byte Attributes { get; }
    public ReadOnlySpan<byte> Key { get; }
    public bool HasKey { get; }
    public ReadOnlySpan<byte> Value { get; }
    public bool HasValue { get; }

    /// <summary>The headers in order: <c>foreach (RecordHeader header in record.Headers)</c>.</summary>
    public RecordHeaders Headers { get; }
}

/// <summary>A header of a record (KIP-82). The key is UTF-8.</summary>
public readonly ref struct RecordHeader(ReadOnlySpan<byte> key, ReadOnlySpan<byte> value, bool hasValue)
{
    public ReadOnlySpan<byte> Key { get; } = key;
    public ReadOnlySpan<byte> Value { get; } = value;
    public bool HasValue { get; } = hasValue;
}

/// <summary>The headers of one record, read as they are walked. Their form was checked when the record was read.</summary>
public readonly ref struct RecordHeaders(int count, ReadOnlySpan<byte> data)
{
    private readonly ReadOnlySpan<byte> _data = data;

    public int Count { get; } = count;
    public Enumerator GetEnumerator() => new(Count, _data);

    /// <summary>The headers as they stand in the record, without their count; to copy them into another record.</summary>
    public ReadOnlySpan<byte> Encoded => _data;

    public ref struct Enumerator
    {
        private readonly ReadOnlySpan<byte> _data;
        private int _left;
        private int _at;

        internal Enumerator(int count, ReadOnlySpan<byte> data)
        {
            _left = count;
            _data = data;
        }

        public RecordHeader Current { get; private set; }

        public bool MoveNext()
        {
            if (_left-- <= 0)
                return false;
            ReadOnlySpan<byte> key = RecordFields.ReadBytes(_data, ref _at, out bool hasKey);
            ReadOnlySpan<byte> value = RecordFields.ReadBytes(_data, ref _at, out bool hasValue);
            if (!hasKey)
                throw RecordFields.Malformed("a header without a key");
            Current = new RecordHeader(key, value, hasValue);
            return true;
        }
    }
}
