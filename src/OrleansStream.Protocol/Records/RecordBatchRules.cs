using OrleansStream.Protocol.Compression;

namespace OrleansStream.Protocol.Records;

/// <summary>What a topic and a request ask of a batch that a client sends. Times in milliseconds since 1970 UTC, sizes in bytes.</summary>
public readonly record struct RecordBatchRules
{
    public RecordBatchRules() { }

    /// <summary>Version of the Produce request: zstd is known from 7 on.</summary>
    public short ProduceVersion { get; init; } = 7;

    /// <summary>max.message.bytes: a batch as it stands, compressed, with its header.</summary>
    public int MaxMessageBytes { get; init; } = int.MaxValue;

    /// <summary>A compacted topic takes no record without a key.</summary>
    public bool RequireKeys { get; init; }

    /// <summary>message.timestamp.type=LogAppendTime: producers may not set that type themselves, and their timestamps do not matter.</summary>
    public bool LogAppendTime { get; init; }

    /// <summary>The broker's time, against which timestamps are checked.</summary>
    public long NowMs { get; init; }

    /// <summary>message.timestamp.before.max.ms</summary>
    public long TimestampBeforeMaxMs { get; init; } = long.MaxValue;

    /// <summary>message.timestamp.after.max.ms</summary>
    public long TimestampAfterMaxMs { get; init; } = long.MaxValue;

    /// <summary>
    /// Decompresses compressed batches to check each record. Without it their records are taken as they are, and their timestamps by the
    /// header's word. <see cref="RequireKeys"/> implies it.
    /// </summary>
    public bool OpenCompressed { get; init; }

    /// <summary>Most bytes that a compressed batch may hold where it is opened.</summary>
    public int MaxDecompressedBytes { get; init; } = 256 << 20;
}

/// <summary>What the validator found.</summary>
/// <param name="Error">None, or Kafka's code for the whole request partition.</param>
/// <param name="Message">A sentence for the client; null on success.</param>
/// <param name="RecordErrors">Records at fault by their place in the batch, the first <see cref="RecordBatchValidator.MaxRecordErrors"/> of them; null for none.</param>
public readonly record struct RecordBatchVerdict(
    ErrorCode Error, string? Message = null, IReadOnlyList<(int BatchIndex, string? Message)>? RecordErrors = null)
{
    /// <summary>The batch's header; of no meaning after an error.</summary>
    public RecordBatchHeader Header { get; init; }

    /// <summary>
    /// The true maximum of the records' timestamps, or the header's word where the batch was not opened. A broker writes it into the header
    /// (<see cref="RecordBatchPatch.SetMaxTimestamp"/>), which producers may have filled wrongly.
    /// </summary>
    public long MaxTimestamp { get; init; }

    /// <summary>Bytes of the batch. What the request holds behind them is the beginning of something unfinished, and to be dropped.</summary>
    public int SizeInBytes => (int)Header.SizeInBytes;

    /// <summary>Whether the batch may be appended as it stands.</summary>
    public bool Ok => Error == ErrorCode.None;
}
