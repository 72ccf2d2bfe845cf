using OrleansStream.Client.Topics;
using OrleansStream.Grains;
using OrleansStream.Protocol.Records;

namespace OrleansStream.Client.Producing;

/// <summary>
/// Appends to one partition, in the order of the calls: one grain call is on its way, and what comes meanwhile is the next one's batch. So a lone record
/// waits for nothing, and many cost few calls. Thread-safe.
/// </summary>
internal sealed class PartitionAppender(
    string topic, int index, TopicDirectory topics, Attempts attempts, OrleansStreamClientOptions options)
{
    private const short AcksAll = -1;

    // The newest without transactions of version 2 (KIP-890), which this client has none of.
    private const short ProduceVersion = 11;

    // What a record takes beside key, value and headers, at most: varints, and its share of a header.
    private const int RecordOverhead = 64;

    private readonly Lock _lock = new();
    private readonly Queue<Pending> _waiting = [];
    private bool _busy;

    public Task<RecordPosition> AppendAsync(NewRecord record, long timestampMs)
    {
        var pending = new Pending(record, timestampMs);
        lock (_lock)
        {
            _waiting.Enqueue(pending);
            if (_busy)
                return pending.Done.Task;
            _busy = true;
        }
        // Not in the caller's turn, where the caller is a grain: records of others are waiting, too, and it may end before they are through.
        _ = Task.Run(SendAllAsync);
        return pending.Done.Task;
    }

    private async Task SendAllAsync()
    {
        while (Next() is { Count: > 0 } batch)
        {
            try
            {
                ReadOnlyMemory<byte> bytes = Build(batch);
                long offset = await AppendAsync(bytes);
                foreach (Pending pending in batch)
                    pending.Done.TrySetResult(new RecordPosition(index, offset++));
            }
            catch (Exception e)
            {
                foreach (Pending pending in batch)
                    pending.Done.TrySetException(e);
            }
        }
    }

    private async Task<long> AppendAsync(ReadOnlyMemory<byte> batch)
    {
        TopicInfo? info = null;
        PartitionAppend done = await attempts.UntilDoneAsync(
            () => topics.Partition(info!, index).AppendAsync(batch, AcksAll, ProduceVersion),
            answer =>
            {
                if (((ErrorCode)answer.ErrorCode).IsOfTopic())
                    topics.Doubt(info!);
                return ((ErrorCode)answer.ErrorCode, answer.Message);
            },
            CancellationToken.None,
            async () => info = await topics.GetAsync(topic, CancellationToken.None));
        return done.BaseOffset;
    }

    private List<Pending> Next()
    {
        var batch = new List<Pending>();
        lock (_lock)
        {
            int size = 0;
            while (_waiting.TryPeek(out Pending? next) && (batch.Count == 0 || size + next.Size <= options.BatchSize))
            {
                size += next.Size;
                batch.Add(_waiting.Dequeue());
            }
            _busy = batch.Count > 0;
        }
        return batch;
    }

    private static byte[] Build(List<Pending> batch)
    {
        using var builder = new RecordBatchBuilder();
        foreach (Pending pending in batch)
        {
            NewRecord record = pending.Record;
            builder.Append(
                pending.TimestampMs, record.Key.GetValueOrDefault().Span, record.Value.GetValueOrDefault().Span, record.Key.HasValue, record.Value.HasValue,
                record.Headers);
        }
        return builder.Build();
    }

    private sealed record Pending(NewRecord Record, long TimestampMs)
    {
        public TaskCompletionSource<RecordPosition> Done { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public int Size { get; } = RecordOverhead + Record.Key.GetValueOrDefault().Length + Record.Value.GetValueOrDefault().Length
            + Record.Headers.Sum(static h => RecordOverhead + (3 * h.Key.Length) + (h.Value?.Length ?? 0));
    }
}
