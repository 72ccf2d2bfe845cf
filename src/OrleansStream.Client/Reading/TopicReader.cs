using System.Runtime.CompilerServices;
using System.Threading.Channels;
using OrleansStream.Client.Topics;
using OrleansStream.Grains;

namespace OrleansStream.Client.Reading;

/// <summary>
/// Reads a topic. Each call to a partition names its offset, so that nothing is lost or repeated when the partition moves to another silo meanwhile.
/// Thread-safe. Errors are <see cref="OrleansStreamException"/>s: OFFSET_OUT_OF_RANGE where the offset is not kept any more or not there yet.
/// </summary>
public sealed class TopicReader
{
    private const int NoEpoch = -1;

    private readonly TopicDirectory _topics;
    private readonly Attempts _attempts;
    private readonly OrleansStreamClientOptions _options;

    internal TopicReader(string topic, TopicDirectory topics, Attempts attempts, OrleansStreamClientOptions options) =>
        (Topic, _topics, _attempts, _options) = (topic, topics, attempts, options);

    public string Topic { get; }

    /// <summary>The records of one partition as they become durable, for as long as the caller goes on.</summary>
    public IAsyncEnumerable<StreamRecord> ReadAsync(int partition, ReadFrom from, CancellationToken cancel = default) =>
        ReadAsync(partition, from, toEnd: false, cancel);

    /// <summary>The records of one partition up to what is its end when the reading begins.</summary>
    public IAsyncEnumerable<StreamRecord> ReadToEndAsync(int partition, ReadFrom from, CancellationToken cancel = default) =>
        ReadAsync(partition, from, toEnd: true, cancel);

    /// <summary>
    /// The records of all partitions that the topic has when the reading begins, as they become durable. Those of one partition are in order, and nothing is
    /// said of the order of others. Begin anywhere but at <see cref="ReadFrom.Offset"/>, which means another record in each partition.
    /// </summary>
    public async IAsyncEnumerable<StreamRecord> ReadAllAsync(ReadFrom from, [EnumeratorCancellation] CancellationToken cancel = default)
    {
        TopicInfo topic = await _topics.GetAsync(Topic, cancel);
        using var stopping = CancellationTokenSource.CreateLinkedTokenSource(cancel);
        // No room for more than one in hand: each partition's reader has its own batch to go on with.
        var ready = Channel.CreateBounded<StreamRecord>(1);
        Task[] readers = [.. Enumerable.Range(0, topic.Partitions).Select(p => PassOnAsync(p, from, ready.Writer, stopping.Token))];
        try
        {
            await foreach (StreamRecord record in ready.Reader.ReadAllAsync(cancel))
                yield return record;
        }
        finally
        {
            stopping.Cancel();
            await Task.WhenAll(readers);
        }
    }

    /// <summary>The offset that a reading from there begins with.</summary>
    public async Task<long> OffsetAsync(int partition, ReadFrom from, CancellationToken cancel = default)
    {
        if (from.GivenOffset >= 0)
            return from.GivenOffset;
        long found = await LookUpAsync(partition, from.Timestamp, cancel);
        return found >= 0 ? found : await LookUpAsync(partition, ReadFrom.End.Timestamp, cancel);
    }

    private async Task<long> LookUpAsync(int partition, long timestamp, CancellationToken cancel)
    {
        PartitionOffset found = await CallAsync(
            partition, p => p.ListOffsetAsync(timestamp, committedOnly: false, NoEpoch), static o => (ErrorCode)o.ErrorCode, cancel);
        return found.Offset;
    }

    private async IAsyncEnumerable<StreamRecord> ReadAsync(int partition, ReadFrom from, bool toEnd, [EnumeratorCancellation] CancellationToken cancel = default)
    {
        long end = toEnd ? await OffsetAsync(partition, ReadFrom.End, cancel) : long.MaxValue;
        for (long next = await OffsetAsync(partition, from, cancel); next < end;)
        {
            var wish = new PartitionReadWish(next, _options.FetchBytes);
            PartitionRecords answer = await CallAsync(
                partition, p => p.ReadAsync(wish, _options.FetchMaxWait), static r => (ErrorCode)r.ErrorCode, cancel);
            (List<StreamRecord> records, next) = RecordDecoder.Decode(partition, answer.Batches, next);
            foreach (StreamRecord record in records)
            {
                if (record.Offset >= end)
                    yield break;
                yield return record;
            }
        }
    }

    private async Task PassOnAsync(int partition, ReadFrom from, ChannelWriter<StreamRecord> to, CancellationToken cancel)
    {
        try
        {
            await foreach (StreamRecord record in ReadAsync(partition, from, cancel))
                await to.WriteAsync(record, cancel);
        }
        catch (OperationCanceledException) when (cancel.IsCancellationRequested)
        {
            // Who reads has gone.
        }
        catch (Exception e)
        {
            // The enumeration ends with it.
            to.TryComplete(e);
        }
    }

    private async Task<T> CallAsync<T>(int partition, Func<IPartitionGrain, Task<T>> call, Func<T, ErrorCode> errorOf, CancellationToken cancel)
    {
        TopicInfo? topic = null;
        return await _attempts.UntilDoneAsync(
            () => call(_topics.Partition(topic!, partition)),
            answer =>
            {
                if (errorOf(answer).IsOfTopic())
                    _topics.Doubt(topic!);
                return (errorOf(answer), null);
            },
            cancel,
            async () => topic = await _topics.GetAsync(Topic, cancel));
    }
}
