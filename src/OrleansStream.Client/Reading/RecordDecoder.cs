using System.Buffers;
using System.Text;
using OrleansStream.Protocol.Records;

namespace OrleansStream.Client.Reading;

/// <summary>Turns record batches into records.</summary>
internal static class RecordDecoder
{
    // What a compressed batch may open to.
    private const int MaxOpenedBytes = 512 * 1024 * 1024;

    /// <summary>
    /// The records of whole batches from <paramref name="from"/> on, and the offset behind the last batch. Markers of transactions are no records. Throws
    /// <see cref="CorruptRecordsException"/>.
    /// </summary>
    public static (List<StreamRecord> Records, long Next) Decode(int partition, ReadOnlyMemory<byte> batches, long from)
    {
        var records = new List<StreamRecord>();
        long next = from;
        while (!batches.IsEmpty)
        {
            RecordBatchHeader header = RecordBatchHeader.Read(batches.Span);
            int size = (int)header.SizeInBytes;
            if (!header.IsControl)
                Decode(partition, batches[..size], from, records);
            next = header.NextOffset;
            batches = batches[size..];
        }
        return (records, next);
    }

    private static void Decode(int partition, ReadOnlyMemory<byte> batch, long from, List<StreamRecord> records)
    {
        using OpenedRecords opened = OpenedRecords.Open(new ReadOnlySequence<byte>(batch), MaxOpenedBytes);
        foreach (Record record in opened)
        {
            // A batch comes whole, also where the reader wants only its end.
            if (record.Offset < from)
                continue;
            records.Add(new StreamRecord(
                new RecordPosition(partition, record.Offset), DateTimeOffset.FromUnixTimeMilliseconds(record.Timestamp),
                Copy(record.HasKey, record.Key), Copy(record.HasValue, record.Value))
            {
                Headers = Headers(record.Headers),
            });
        }
    }

    // The cast matters: without it, null would become an empty memory, as a null array does.
    private static ReadOnlyMemory<byte>? Copy(bool present, ReadOnlySpan<byte> bytes) => present ? (ReadOnlyMemory<byte>?)bytes.ToArray() : null;

    private static KeyValuePair<string, byte[]?>[] Headers(RecordHeaders headers)
    {
        if (headers.Count == 0)
            return [];
        var all = new KeyValuePair<string, byte[]?>[headers.Count];
        int i = 0;
        foreach (RecordHeader header in headers)
            all[i++] = new(Encoding.UTF8.GetString(header.Key), header.HasValue ? header.Value.ToArray() : null);
        return all;
    }
}
