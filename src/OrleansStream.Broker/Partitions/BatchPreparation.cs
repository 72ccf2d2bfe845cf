using System.Buffers;
using OrleansStream.Broker.Topics;
using OrleansStream.Protocol;
using OrleansStream.Protocol.Compression;
using OrleansStream.Protocol.Records;

namespace OrleansStream.Broker.Partitions;

/// <summary>
/// Makes of a client's batch what the topic stores: as it is in the common case; with the broker's time, a corrected maximum timestamp or another
/// codec where the topic's configuration wants that. What is changed is changed in a pooled copy, which the caller disposes.
/// </summary>
internal readonly struct BatchPreparation : IDisposable
{
    private readonly PooledBuffer? _copy;

    private BatchPreparation(in RecordBatchVerdict verdict, ReadOnlySequence<byte> batch, PooledBuffer? copy)
    {
        Verdict = verdict;
        Batch = batch;
        _copy = copy;
    }

    public RecordBatchVerdict Verdict { get; }

    /// <summary>The batch to append; of meaning where the verdict is Ok.</summary>
    public ReadOnlySequence<byte> Batch { get; }

    public static BatchPreparation Prepare(in ReadOnlySequence<byte> records, TopicConfig config, short produceVersion, long nowMs, int maxDecompressedBytes)
    {
        var logAppendTime = config.TimestampType == TimestampType.LogAppendTime;
        var codec = CodecOf(config.CompressionType);
        var rules = new RecordBatchRules
        {
            ProduceVersion = produceVersion,
            MaxMessageBytes = config.MaxMessageBytes,
            RequireKeys = config.CleanupCompact,
            LogAppendTime = logAppendTime,
            NowMs = nowMs,
            TimestampBeforeMaxMs = config.TimestampBeforeMaxMs,
            TimestampAfterMaxMs = config.TimestampAfterMaxMs,
            MaxDecompressedBytes = maxDecompressedBytes,
        };
        var verdict = RecordBatchValidator.Validate(records, rules);
        if (!verdict.Ok)
            return new BatchPreparation(verdict, default, null);
        var batch = records.Slice(0, verdict.SizeInBytes);
        if (codec is { } wanted && wanted != verdict.Header.Codec)
            return Recompress(batch, wanted, config, logAppendTime ? nowMs : null, verdict, maxDecompressedBytes);
        if (!logAppendTime && verdict.MaxTimestamp == verdict.Header.MaxTimestamp)
            return new BatchPreparation(verdict, batch, null);

        var copy = new PooledBuffer(verdict.SizeInBytes, verdict.SizeInBytes);
        var bytes = copy.Reserve(verdict.SizeInBytes)[..verdict.SizeInBytes];
        batch.CopyTo(bytes);
        RecordBatchPatch.SetMaxTimestamp(bytes, logAppendTime ? nowMs : verdict.MaxTimestamp, logAppendTime);
        copy.Advance(verdict.SizeInBytes);
        return new BatchPreparation(verdict with { Header = RecordBatchHeader.Read(copy.WrittenSpan) }, new ReadOnlySequence<byte>(copy.WrittenMemory), copy);
    }

    public void Dispose() => _copy?.Dispose();

    private static BatchPreparation Recompress(
        in ReadOnlySequence<byte> batch, CompressionCodec codec, TopicConfig config, long? logAppendTimeMs, in RecordBatchVerdict verdict, int maxDecompressedBytes)
    {
        var header = verdict.Header;
        using var builder = new RecordBatchBuilder
        {
            Codec = codec, ProducerId = header.ProducerId, ProducerEpoch = header.ProducerEpoch, BaseSequence = header.BaseSequence,
            Transactional = header.IsTransactional, LogAppendTimeMs = logAppendTimeMs,
        };
        try
        {
            using var opened = OpenedRecords.Open(batch, maxDecompressedBytes);
            foreach (var record in opened)
                builder.Append(record, builder.LastOffsetDelta + 1);
        }
        catch (CorruptRecordsException e)
        {
            var error = e.TooLarge ? ErrorCode.MessageTooLarge : ErrorCode.CorruptMessage;
            return new BatchPreparation(new RecordBatchVerdict(error, $"The batch cannot be compressed anew: {e.Message}"), default, null);
        }
        var copy = new PooledBuffer(int.MaxValue / 2, builder.UncompressedSize);
        builder.WriteTo(copy);
        if (copy.WrittenSpan.Length > config.MaxMessageBytes)
        {
            var size = copy.WrittenSpan.Length;
            copy.Dispose();
            return new BatchPreparation(
                new RecordBatchVerdict(ErrorCode.MessageTooLarge, $"The batch has {size} bytes with the topic's compression, the topic allows {config.MaxMessageBytes}."),
                default, null);
        }
        return new BatchPreparation(verdict with { Header = RecordBatchHeader.Read(copy.WrittenSpan) }, new ReadOnlySequence<byte>(copy.WrittenMemory), copy);
    }

    private static CompressionCodec? CodecOf(string compressionType) => compressionType switch
    {
        "producer" => null,
        "uncompressed" => CompressionCodec.None,
        "gzip" => CompressionCodec.Gzip,
        "snappy" => CompressionCodec.Snappy,
        "lz4" => CompressionCodec.Lz4,
        "zstd" => CompressionCodec.Zstd,
        _ => throw new ArgumentOutOfRangeException(nameof(compressionType), compressionType, "no compression.type of Kafka"),
    };
}
