using System.Buffers;
using System.Buffers.Binary;
using OrleansStream.Protocol.Compression;
using Layout = OrleansStream.Protocol.Records.RecordBatchLayout;

namespace OrleansStream.Protocol.Records;

/// <summary>
/// Checks what a client sends as the `records` of one partition in a Produce request (version 3 and later: exactly one batch). Codes and the order of
/// the checks are those that Apache Kafka 4.3 was seen to have, with these differences, all of them in records which that Kafka would store
/// and readers would stumble over: offset deltas that are not 0, 1, 2 ..., and lengths below -1, give INVALID_RECORD.
/// Allocates nothing for a batch that is well formed and not opened.
/// </summary>
public static class RecordBatchValidator
{
    /// <summary>A request may hold millions of faulty records; an answer that lists them all would help nobody.</summary>
    public const int MaxRecordErrors = 1000;

    // Bytes that the oldest message format has behind its length: Kafka takes a shorter batch for corrupt and a longer one for unfinished.
    private const int LeastBatchLength = 14;

    public static RecordBatchVerdict Validate(in ReadOnlySequence<byte> records, in RecordBatchRules rules)
    {
        RecordBatchVerdict verdict = Frame(records, rules, out RecordBatchHeader header);
        if (!verdict.Ok)
            return verdict;
        verdict = Fields(header);
        if (!verdict.Ok)
            return verdict;

        ReadOnlySequence<byte> body = records.Slice(Layout.Records, header.SizeInBytes - Layout.Records);
        if (header.Codec == CompressionCodec.None)
            return RecordWalk.Check(header, body, rules);
        if (!rules.OpenCompressed && !rules.RequireKeys)
            return ByHeaderAlone(header, rules);
        try
        {
            using OpenedRecords opened = OpenedRecords.Open(header, body, rules.MaxDecompressedBytes);
            return RecordWalk.Check(header, new ReadOnlySequence<byte>(opened.Memory), rules);
        }
        catch (CorruptRecordsException e) when (e.TooLarge)
        {
            return new(ErrorCode.MessageTooLarge, $"The batch holds more than {rules.MaxDecompressedBytes} bytes when decompressed.");
        }
        catch (CorruptRecordsException e)
        {
            return new(ErrorCode.UnknownServerError, $"The batch cannot be decompressed: {e.Message}");
        }
    }

    /// <summary>That there is one whole batch of the right format, of which every byte arrived.</summary>
    private static RecordBatchVerdict Frame(in ReadOnlySequence<byte> records, in RecordBatchRules rules, out RecordBatchHeader header)
    {
        header = default;
        RecordBatchVerdict verdict = Next(records, out long size, out byte magic);
        if (!verdict.Ok)
            return verdict;
        if (size == 0)
            return new(ErrorCode.InvalidRecord, "A Produce request needs a whole record batch for each partition.");
        if (magic != Layout.CurrentMagic)
            return new(ErrorCode.InvalidRecord, $"Produce requests carry record batches of magic 2, not {magic}.");
        if (size < Layout.Records || !RecordBatchHeader.TryRead(records, out header))
            return new(ErrorCode.CorruptMessage, $"A record batch of {size} bytes is shorter than its header.");
        if (rules.ProduceVersion < 7 && header.Codec == CompressionCodec.Zstd)
            return new(ErrorCode.UnsupportedCompressionType, "Produce requests may carry zstd from version 7 on.");

        verdict = Next(records.Slice(size), out long secondSize, out _);
        if (!verdict.Ok)
            return verdict;
        if (secondSize != 0)
            return new(ErrorCode.InvalidRecord, "A Produce request may carry one record batch for each partition, not more.");

        if (header.BaseOffset != 0)
            return new(ErrorCode.InvalidRecord, $"The base offset of a produced batch is 0, not {header.BaseOffset}.");
        if (size > rules.MaxMessageBytes)
            return new(ErrorCode.MessageTooLarge, $"The batch has {size} bytes, the topic allows {rules.MaxMessageBytes}.");
        uint crc = Crc32C.Compute(records.Slice(Layout.Attributes, size - Layout.Attributes));
        if (crc != header.Crc)
            return new(ErrorCode.CorruptMessage, $"The batch says that its checksum is {header.Crc}, it is {crc}.");
        return default;
    }

    /// <summary>Size and magic of the batch at the start; size 0 where nothing whole is there, which is no error behind the first batch.</summary>
    private static RecordBatchVerdict Next(in ReadOnlySequence<byte> records, out long size, out byte magic)
    {
        size = 0;
        magic = 0;
        if (records.Length < Layout.LengthOverhead)
            return default;
        Span<byte> start = stackalloc byte[Layout.Magic + 1];
        start = start[..(int)Math.Min(start.Length, records.Length)];
        records.Slice(0, start.Length).CopyTo(start);

        int length = BinaryPrimitives.ReadInt32BigEndian(start[Layout.BatchLength..]);
        if (length < LeastBatchLength)
            return new(ErrorCode.CorruptMessage, $"A batch length of {length} bytes is less than any batch has.");
        if (start.Length <= Layout.Magic)
            return default;
        magic = start[Layout.Magic];
        if (magic > Layout.CurrentMagic)
            return new(ErrorCode.CorruptMessage, $"There is no record format with magic {(sbyte)magic}.");
        long whole = (long)length + Layout.LengthOverhead;
        if (whole <= records.Length)
            size = whole;
        return default;
    }

    private static RecordBatchVerdict Fields(in RecordBatchHeader header)
    {
        if (header.RecordCount <= 0)
            return new(ErrorCode.InvalidRecord, $"A batch has at least one record, this one says {header.RecordCount}.");
        if (header.LastOffsetDelta != header.RecordCount - 1)
            return new(ErrorCode.InvalidRecord, $"{header.RecordCount} records and a last offset delta of {header.LastOffsetDelta} contradict each other.");
        if (header.IsControl)
            return new(ErrorCode.InvalidRecord, "Clients may not write control records.");
        if (header.HasProducerId && header.BaseSequence < 0)
            return new(ErrorCode.InvalidRecord, $"A batch with producer id {header.ProducerId} needs a sequence number, not {header.BaseSequence}.");
        if (header.Codec > CompressionCodec.Zstd)
            return new(ErrorCode.UnknownServerError, $"Unknown compression codec {(int)header.Codec}.");
        return default;
    }

    private static RecordBatchVerdict ByHeaderAlone(in RecordBatchHeader header, in RecordBatchRules rules)
    {
        var timestamps = new TimestampRule(rules, header);
        if (!timestamps.Accepts(header.MaxTimestamp))
            return new(ErrorCode.InvalidTimestamp, timestamps.Complaint(header.MaxTimestamp));
        if (!timestamps.Accepts(header.BaseTimestamp) && !header.HasDeleteHorizon)
            return new(ErrorCode.InvalidTimestamp, timestamps.Complaint(header.BaseTimestamp));
        return new(ErrorCode.None) { Header = header, MaxTimestamp = header.MaxTimestamp };
    }
}
