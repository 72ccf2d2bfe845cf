using System.Buffers;
using System.Runtime.CompilerServices;
using OrleansStream.Broker.Topics;
using OrleansStream.Protocol;
using OrleansStream.Storage;
using OrleansStream.Storage.Logs;
using OrleansStream.Storage.Ports;

namespace OrleansStream.Broker.Partitions;

/// <summary>Broker-wide settings of partitions; times in milliseconds, sizes in bytes.</summary>
public sealed record PartitionOptions
{
    /// <summary>producer.id.expiration.ms as it is now: how long an idle producer's sequence numbers are remembered.</summary>
    public Func<long> ProducerIdExpirationMs { get; init; } = static () => 86_400_000;

    /// <summary>Most that one compressed batch may hold, where a rule makes us open it.</summary>
    public int MaxDecompressedBytes { get; init; } = 256 << 20;
}

/// <summary>
/// A leader's partition: Kafka's rules over a <see cref="PartitionLog"/>, for one leader epoch. After it has stepped down it still answers reads below
/// its high watermark; whoever leads it next is another object.
/// </summary>
public sealed class Partition : IPartition
{
    private readonly PartitionLog _log;
    private readonly RuntimePorts _ports;
    private readonly PartitionOptions _options;
    private readonly ProducerStates _producers;
    private volatile Settings _settings;

    private Partition(PartitionLog log, RuntimePorts ports, PartitionOptions options, ProducerStates producers, Settings settings)
    {
        _log = log;
        _ports = ports;
        _options = options;
        _producers = producers;
        _settings = settings;
    }

    /// <summary>Takes ownership of the partition; errors as <see cref="LogHost.OpenAsync"/>.</summary>
    public static async ValueTask<Partition> OpenAsync(
        LogHost host, RuntimePorts ports, PartitionId id, TopicConfig config, short replicationFactor, PartitionOptions options, CancellationToken cancel)
    {
        var producers = new ProducerStates(ports.Time, options.ProducerIdExpirationMs);
        var log = await host.OpenAsync(id, producers, LogConfigOf(config), cancel);
        return new Partition(log, ports, options, producers, new Settings(config, replicationFactor));
    }

    /// <summary>A topic's configuration changed.</summary>
    public void Configure(TopicConfig config, short replicationFactor)
    {
        _settings = new Settings(config, replicationFactor);
        _log.Configure(LogConfigOf(config));
    }

    /// <summary>
    /// Completes when this object leads no more: its journal was fenced or gave up, or the partition was closed or deleted. The engine opens the partition
    /// anew where it still should lead; this object answers reads meanwhile.
    /// </summary>
    public Task<LogStatus> SteppedDown => _log.SteppedDown;

    public PartitionId Id => _log.Id;
    public int LeaderEpoch => _log.LeaderEpoch;
    public bool Leads => _log.Status == LogStatus.Ok;
    public long LogStartOffset => _log.LogStartOffset;
    public long HighWatermark => _log.HighWatermark;

    /// <summary>The high watermark, as long as there are no transactions.</summary>
    public long LastStableOffset => HighWatermark;

    public long SizeBytes => _log.SizeBytes;

    public ValueTask<long?> SizeAsync(CancellationToken cancel) => new(SizeBytes);

    public ValueTask<ActiveProducers> DescribeProducersAsync(CancellationToken cancel) => new(DescribeProducers());

    public ActiveProducers DescribeProducers()
    {
        lock (_log.Sync)
        {
            return _log.Status == LogStatus.Ok
                ? new ActiveProducers(ErrorCode.None, _producers.Active())
                : new ActiveProducers(LogErrors.CodeOf(_log.Status), []);
        }
    }

    public async ValueTask<DeletedRecords> DeleteRecordsAsync(long offset, CancellationToken cancel)
    {
        if (!_settings.Config.CleanupDelete && _settings.Config.CleanupCompact)
            return new DeletedRecords(ErrorCode.PolicyViolation, -1);
        if (_log.Status != LogStatus.Ok)
            return new DeletedRecords(LogErrors.CodeOf(_log.Status), -1);
        var status = await _log.AdvanceStartAsync(offset == -1 ? HighWatermark : offset, cancel);
        return status == LogStatus.Ok ? new DeletedRecords(ErrorCode.None, LogStartOffset) : new DeletedRecords(LogErrors.CodeOf(status), -1);
    }

    /// <summary>Lets go of what is beyond retention.ms and retention.bytes. Throws <see cref="StoreUnavailableException"/>.</summary>
    public async ValueTask ApplyRetentionAsync(CancellationToken cancel)
    {
        var config = _settings.Config;
        if (!config.CleanupDelete || _log.Status != LogStatus.Ok)
            return;
        var start = await _log.RetainedFromAsync(new RetentionLimits(config.RetentionMs, config.RetentionBytes), cancel);
        if (start > LogStartOffset)
            await _log.AdvanceStartAsync(start, cancel);
    }

    public ValueTask<AppendResult> AppendAsync(ReadOnlySequence<byte> records, Acks acks, short produceVersion)
    {
        var settings = _settings;
        var config = settings.Config;
        if (_log.Status != LogStatus.Ok)
            return new(Refused(LogErrors.CodeOf(_log.Status)));
        if (acks == Acks.All && config.MinInSyncReplicas > settings.ReplicationFactor)
        {
            return new(Refused(ErrorCode.NotEnoughReplicas,
                $"min.insync.replicas is {config.MinInSyncReplicas}, the topic's replication factor {settings.ReplicationFactor}."));
        }
        var now = _ports.NowMilliseconds;
        using var prepared = BatchPreparation.Prepare(records, config, produceVersion, now, _options.MaxDecompressedBytes);
        var verdict = prepared.Verdict;
        if (!verdict.Ok)
        {
            return new(new AppendResult(
                verdict.Error, LogStartOffset: verdict.Error == ErrorCode.InvalidRecord ? LogStartOffset : -1,
                ErrorMessage: verdict.Message, RecordErrors: verdict.RecordErrors));
        }
        if (prepared.Batch.Length > config.SegmentBytes)
        {
            return new(Refused(ErrorCode.RecordListTooLarge,
                $"The batch has {prepared.Batch.Length} bytes, a segment {config.SegmentBytes}."));
        }
        if (verdict.Header.IsTransactional)
            return new(Refused(ErrorCode.InvalidTxnState, "The partition has no ongoing transaction of this producer."));

        var stampMs = config.TimestampType == TimestampType.LogAppendTime ? now : -1;
        LogAppend append;
        lock (_log.Sync)
        {
            var sequence = verdict.Header.HasProducerId && _log.Status == LogStatus.Ok ? _producers.Check(verdict.Header) : default;
            if (sequence.Error != ErrorCode.None)
                return new(Refused(sequence.Error, sequence.Message));
            append = sequence.Duplicate is { } duplicate ? Again(duplicate, acks) : _log.Append(prepared.Batch);
            if (sequence.Duplicate is { } first)
                stampMs = first.Timestamp;
        }
        if (append.Status != LogStatus.Ok)
            return new(Refused(LogErrors.CodeOf(append.Status)));
        var result = new AppendResult(ErrorCode.None, append.BaseOffset, stampMs, LogStartOffset);
        return acks == Acks.All ? WhenDurableAsync(append.Durable, result) : new(result);
    }

    /// <summary>A batch that is here already is answered as the first time: when it is durable, and not if it never will be.</summary>
    private LogAppend Again(AppendedBatch first, Acks acks) =>
        new(LogStatus.Ok, first.BaseOffset, first.LastOffset, acks == Acks.All ? _log.WaitDurableAsync(first.LastOffset) : default);

    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    private static async ValueTask<AppendResult> WhenDurableAsync(ValueTask<LogStatus> durable, AppendResult result)
    {
        var status = await durable;
        return status == LogStatus.Ok ? result : Refused(LogErrors.CodeOf(status));
    }

    public ValueTask<PartitionRead> ReadAsync(PartitionReadRequest request, CancellationToken cancel)
    {
        var error = CheckEpoch(request.CurrentLeaderEpoch);
        if (error != ErrorCode.None)
            return new(Failed(error));
        // Limits first: what is read then lies below what the answer says.
        var highWatermark = HighWatermark;
        var lastStable = Math.Min(LastStableOffset, highWatermark);
        var limit = request.Isolation == IsolationLevel.ReadCommitted ? lastStable : highWatermark;
        if (request.LastFetchedEpoch >= 0)
        {
            var (epoch, end) = _log.EndOfEpoch(request.LastFetchedEpoch);
            if (epoch < 0 || end < 0)
                return new(Failed(ErrorCode.OffsetOutOfRange));
            if (epoch < request.LastFetchedEpoch || end < request.Offset)
                return new(new PartitionRead(ErrorCode.None, highWatermark, lastStable, LogStartOffset, default) { Diverging = (epoch, end) });
        }
        var reading = _log.ReadAsync(request.Offset, request.MaxBytes, request.AtLeastOne, limit, cancel);
        return reading.IsCompletedSuccessfully
            ? new(Answer(reading.Result, highWatermark, lastStable))
            : AnswerAsync(reading, highWatermark, lastStable);
    }

    private async ValueTask<PartitionRead> AnswerAsync(ValueTask<LogRead> reading, long highWatermark, long lastStable) =>
        Answer(await reading, highWatermark, lastStable);

    private PartitionRead Answer(in LogRead read, long highWatermark, long lastStable) => read.Status == LogStatus.Ok
        ? new PartitionRead(ErrorCode.None, highWatermark, lastStable, LogStartOffset, read.Batches, read.Hold)
        : Failed(LogErrors.CodeOf(read.Status));

    public IDisposable Watch(IPartitionWatcher watcher) => new Watching(_log, watcher);

    public async ValueTask<OffsetLookup> ListOffsetAsync(long timestamp, IsolationLevel isolation, int currentLeaderEpoch, CancellationToken cancel)
    {
        var error = CheckEpoch(currentLeaderEpoch);
        if (error != ErrorCode.None)
            return new OffsetLookup(error);
        var limit = isolation == IsolationLevel.ReadCommitted ? LastStableOffset : HighWatermark;
        return await OffsetLookups.FindAsync(_log, timestamp, limit, _options.MaxDecompressedBytes, cancel);
    }

    public ValueTask<EpochEnd> EndOffsetForEpochAsync(int currentLeaderEpoch, int leaderEpoch, CancellationToken cancel) =>
        new(EndOffsetForEpoch(currentLeaderEpoch, leaderEpoch));

    public EpochEnd EndOffsetForEpoch(int currentLeaderEpoch, int leaderEpoch)
    {
        var error = CheckEpoch(currentLeaderEpoch);
        if (error != ErrorCode.None)
            return new EpochEnd(error);
        var (epoch, end) = _log.EndOfEpoch(leaderEpoch);
        return new EpochEnd(ErrorCode.None, epoch, end);
    }

    private ErrorCode CheckEpoch(int clientsEpoch) =>
        clientsEpoch < 0 || clientsEpoch == LeaderEpoch ? ErrorCode.None
        : clientsEpoch < LeaderEpoch ? ErrorCode.FencedLeaderEpoch
        : ErrorCode.UnknownLeaderEpoch;

    private static AppendResult Refused(ErrorCode error, string? message = null) => new(error, ErrorMessage: message);

    private static PartitionRead Failed(ErrorCode error) => new(error, -1, -1, -1, default);

    private static LogConfig LogConfigOf(TopicConfig config) => new(config.SegmentBytes, config.SegmentMs);

    private sealed record Settings(TopicConfig Config, short ReplicationFactor);

    /// <summary>A watcher's registration.</summary>
    private sealed class Watching : ILogWatcher, IDisposable
    {
        private readonly IPartitionWatcher _watcher;
        private readonly IDisposable _registration;

        public Watching(PartitionLog log, IPartitionWatcher watcher)
        {
            _watcher = watcher;
            _registration = log.Watch(this);
        }

        public void Changed() => _watcher.Changed();

        public void Dispose() => _registration.Dispose();
    }
}
