namespace OrleansStream.Protocol.Records;

/// <summary>
/// Walks the records of a batch: <c>foreach (Record record in new RecordReader(header, records))</c>. Allocates nothing. Throws
/// <see cref="CorruptRecordsException"/> at the first record that is malformed, and at the end where the count did not say the truth.
/// </summary>
public ref struct RecordReader
{
    private readonly RecordBatchHeader _header;
    private readonly ReadOnlySpan<byte> _records;
    private int _read;
    private int _at;

    /// <param name="header">The batch's header.</param>
    /// <param name="records">What follows it, decompressed: see <see cref="OpenedRecords"/>.</param>
    public RecordReader(scoped in RecordBatchHeader header, ReadOnlySpan<byte> records)
    {
        _header = header;
        _records = records;
    }

    public Record Current { get; private set; }

    public readonly RecordReader GetEnumerator() => this;

    public bool MoveNext()
    {
        if (_read == _header.RecordCount)
        {
            if (_at != _records.Length)
                throw RecordFields.Malformed("bytes behind the last one that the batch counts");
            return false;
        }
        int length = RecordFields.ReadInt(_records, ref _at);
        if (length < 0 || length > _records.Length - _at)
            throw RecordFields.Malformed("it ends outside of its batch");
        Current = Parse(_records.Slice(_at, length));
        _at += length;
        _read++;
        return true;
    }

    private readonly Record Parse(ReadOnlySpan<byte> data)
    {
        if (data.IsEmpty)
            throw RecordFields.Malformed("it is empty");
        int at = 1;
        long timestampDelta = RecordFields.ReadLong(data, ref at);
        int offsetDelta = RecordFields.ReadInt(data, ref at);
        ReadOnlySpan<byte> key = RecordFields.ReadBytes(data, ref at, out bool hasKey);
        ReadOnlySpan<byte> value = RecordFields.ReadBytes(data, ref at, out bool hasValue);
        int headerCount = RecordFields.ReadInt(data, ref at);
        if (headerCount < 0)
            throw RecordFields.Malformed("a negative number of headers");
        int headersStart = at;
        for (int i = 0; i < headerCount; i++)
        {
            RecordFields.ReadBytes(data, ref at, out bool hasHeaderKey);
            if (!hasHeaderKey)
                throw RecordFields.Malformed("a header without a key");
            RecordFields.ReadBytes(data, ref at, out _);
        }
        if (at != data.Length)
            throw RecordFields.Malformed("bytes behind its last header");
        long timestamp = _header.IsLogAppendTime ? _header.MaxTimestamp : _header.BaseTimestamp + timestampDelta;
        return new Record(
            _header.BaseOffset + offsetDelta, timestamp, data[0], key, hasKey, value, hasValue, new RecordHeaders(headerCount, data[headersStart..]));
    }
}
