using System.Buffers;

namespace OrleansStream.Storage.Logs;

/// <summary>Where an append landed. <paramref name="Status"/> is not Ok where the log takes no appends any more; then there is no entry.</summary>
public readonly record struct LogAppend(LogStatus Status, long BaseOffset, long LastOffset, ValueTask<LogStatus> Durable);

/// <summary>What a read gave: whole batches out of hot memory or the read cache, valid until disposed.</summary>
public readonly record struct LogRead(LogStatus Status, ReadOnlySequence<byte> Batches, IDisposable? Hold);

/// <summary>The log of one partition under one leader epoch. Thread-safe.</summary>
public sealed class PartitionLog
{
    /// <summary>Held while offsets are assigned. A caller whose decision depends on the log's state holds it while it decides and appends.</summary>
    public Lock Sync { get; } = new();

    public PartitionId Id => throw new NotImplementedException();
    public int LeaderEpoch => throw new NotImplementedException();
    public long LogStartOffset => throw new NotImplementedException();
    public long HighWatermark => throw new NotImplementedException();
    public long EndOffset => throw new NotImplementedException();
    public long SizeBytes => throw new NotImplementedException();

    /// <summary>Ok while the log takes appends.</summary>
    public LogStatus Status => throw new NotImplementedException();

    /// <summary>Completes when the log takes no appends any more, with the reason. Reads up to the high watermark go on.</summary>
    public Task<LogStatus> SteppedDown => throw new NotImplementedException();

    public void Configure(LogConfig config) => throw new NotImplementedException();

    /// <summary>Assigns offsets, copies into hot memory, hands to the journal; all before it returns.</summary>
    public LogAppend Append(ReadOnlySequence<byte> batches) => throw new NotImplementedException();

    public ValueTask<LogRead> ReadAsync(long offset, int maxBytes, bool atLeastOne, long upTo, CancellationToken cancel) => throw new NotImplementedException();

    public IDisposable Watch(ILogWatcher watcher) => throw new NotImplementedException();
}
