using System.Buffers;

namespace OrleansStream.Protocol.Records;

/// <summary>
/// Walks the decompressed records of a batch that a client sent: every length, every delta, every count. A batch that lies here would block
/// its readers for ever.
/// </summary>
internal static class RecordWalk
{
    public static RecordBatchVerdict Check(in RecordBatchHeader header, in ReadOnlySequence<byte> body, in RecordBatchRules rules)
    {
        var cursor = new SequenceCursor(body);
        var timestamps = new TimestampRule(rules, header);
        long maxTimestamp = RecordBatchLayout.NoTimestamp;
        List<(int, string?)>? keyless = null, untimely = null;

        for (int i = 0; i < header.RecordCount; i++)
        {
            string? fault = Walk(ref cursor, i, out long timestampDelta, out bool hasKey);
            if (fault is not null)
                return new(ErrorCode.InvalidRecord, $"Record {i} of the batch is malformed: {fault}.");
            long timestamp = header.BaseTimestamp + timestampDelta;
            if (timestamp > maxTimestamp)
                maxTimestamp = timestamp;
            if (!hasKey && rules.RequireKeys)
                Add(ref keyless, i, "A compacted topic takes no record without a key.");
            else if (!timestamps.Accepts(timestamp))
                Add(ref untimely, i, timestamps.Complaint(timestamp));
        }
        if (cursor.Remaining != 0)
            return new(ErrorCode.InvalidRecord, $"{cursor.Remaining} bytes follow the last of {header.RecordCount} records.");

        // Where both occur, Kafka names the timestamps.
        if (untimely is not null)
            return new(ErrorCode.InvalidTimestamp, "Records were rejected for their timestamps.", Join(untimely, keyless));
        if (keyless is not null)
            return new(ErrorCode.InvalidRecord, "Records were rejected for their missing keys.", keyless);
        return new(ErrorCode.None) { Header = header, MaxTimestamp = maxTimestamp };
    }

    /// <summary>Walks one record and says what is wrong with it.</summary>
    private static string? Walk(ref SequenceCursor cursor, int index, out long timestampDelta, out bool hasKey)
    {
        timestampDelta = 0;
        hasKey = false;
        if (!cursor.TryReadVarint(out int length) || length < 0 || length > cursor.Remaining)
            return "its length lies outside of the batch";
        long end = cursor.Consumed + length;

        if (!cursor.TrySkip(1) || !cursor.TryReadVarlong(out timestampDelta) || !cursor.TryReadVarint(out int offsetDelta))
            return "it is cut off";
        if (offsetDelta != index)
            return $"its offset delta is {offsetDelta}";
        if (!TrySkipBytes(ref cursor, end, out hasKey))
            return "the length of its key";
        if (!TrySkipBytes(ref cursor, end, out _))
            return "the length of its value";
        if (!cursor.TryReadVarint(out int headers) || headers < 0)
            return "its number of headers";
        for (int i = 0; i < headers; i++)
        {
            if (!TrySkipBytes(ref cursor, end, out bool hasHeaderKey) || !hasHeaderKey)
                return "the key of a header";
            if (!TrySkipBytes(ref cursor, end, out _))
                return "the value of a header";
        }
        return cursor.Consumed == end ? null : "its parts do not add up to its length";
    }

    /// <summary>A length and so many bytes, not beyond <paramref name="end"/>; -1 is null.</summary>
    private static bool TrySkipBytes(ref SequenceCursor cursor, long end, out bool present)
    {
        present = cursor.TryReadVarint(out int length) && length >= 0;
        if (present)
            return length <= end - cursor.Consumed && cursor.TrySkip(length);
        return length == -1;
    }

    private static void Add(ref List<(int, string?)>? errors, int index, string message)
    {
        errors ??= [];
        if (errors.Count < RecordBatchValidator.MaxRecordErrors)
            errors.Add((index, message));
    }

    private static List<(int, string?)> Join(List<(int Index, string?)> first, List<(int Index, string?)>? second)
    {
        if (second is null)
            return first;
        first.AddRange(second);
        first.Sort((a, b) => a.Index.CompareTo(b.Index));
        return first;
    }
}
