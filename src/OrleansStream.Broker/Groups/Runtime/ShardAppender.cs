using System.Buffers;
using Microsoft.Extensions.Logging;
using OrleansStream.Broker.Groups.Records;
using OrleansStream.Broker.Partitions;
using OrleansStream.Protocol;
using OrleansStream.Protocol.Compression;
using OrleansStream.Protocol.Records;
using OrleansStream.Storage.Ports;

namespace OrleansStream.Broker.Groups.Runtime;

/// <summary>
/// Puts what a shard decided into record batches, appends them one after the other without waiting, and lets the answers go as the appends become durable:
/// an answer waits for all that was appended before it was given, whether or not it has records of its own.
/// </summary>
internal sealed class ShardAppender(GroupShard shard, RuntimePorts ports, int maxRecordBytes)
{
    /// <summary>Room for what surrounds one record in its batch.</summary>
    private const int Overhead = 256;

    /// <summary>The version of Produce whose rules the partition applies to our batches: any with magic 2.</summary>
    private const short ProduceVersion = 9;

    private readonly Lock _lock = new();
    private readonly Queue<Append> _underWay = new();
    private readonly KafkaWriter _writer = new();
    private readonly PooledBuffer _decision = new(int.MaxValue / 2);
    private readonly PooledBuffer _batchBytes = new(int.MaxValue / 2);
    private readonly List<(int KeyLength, int ValueLength)> _records = [];
    private RecordBatchBuilder _batch = new();
    private Append? _last;
    private bool _failed;

    /// <summary>A batch under way, and who waits for it.</summary>
    private sealed class Append(ValueTask<AppendResult> result, List<Reply> answers, int records)
    {
        public ValueTask<AppendResult> Result { get; } = result;
        public List<Reply> Answers { get; } = answers;
        public int Records { get; } = records;
    }

    private int BatchLimit => Math.Min(shard.Settings.MaxBatchBytes, maxRecordBytes);

    /// <summary>Takes a record of the decision that is being made. Throws <see cref="GroupException"/> where no batch could hold it.</summary>
    public void Write(in CoordinatorRecord record)
    {
        _writer.Reset();
        var lengths = RecordCodec.Write(record, _writer);
        if (_writer.Length + Overhead > maxRecordBytes)
            throw new GroupException(ErrorCode.UnknownServerError, $"A record of {_writer.Length} bytes does not fit into __consumer_offsets.");
        _writer.CopyTo(_decision);
        _records.Add(lengths);
    }

    /// <summary>
    /// The decision is complete: its records go into the batch, into one of their own if they do not fit behind the others. True where the caller should
    /// flush, as the batch is full.
    /// </summary>
    public bool EndDecision()
    {
        if (_records.Count == 0)
            return false;
        if (_batch.Count > 0 && _batch.UncompressedSize + _decision.Length + (Overhead * _records.Count) > BatchLimit)
            FlushBatch([]);
        var now = ports.NowMilliseconds;
        var bytes = _decision.WrittenSpan;
        foreach (var (keyLength, valueLength) in _records)
        {
            // Only a decision that is larger than a batch is ever split: thousands of offsets in one commit, each of which stands for itself.
            if (_batch.Count > 0 && _batch.UncompressedSize + keyLength + valueLength + Overhead > BatchLimit)
                FlushBatch([]);
            var value = Math.Max(0, valueLength);
            _batch.Append(now, bytes[..keyLength], bytes.Slice(keyLength, value), hasValue: valueLength >= 0);
            bytes = bytes[(keyLength + value)..];
        }
        _records.Clear();
        _decision.Truncate(0);
        return _batch.UncompressedSize > BatchLimit / 2;
    }

    /// <summary>Appends what has come together. Takes the answers that were given since the last time; gives back an empty list to go on with.</summary>
    public List<Reply> Flush(List<Reply> answers)
    {
        if (_failed)
            return answers;
        if (_batch.Count > 0)
        {
            FlushBatch(answers);
            return [];
        }
        if (answers.Count == 0)
            return answers;
        lock (_lock)
        {
            if (_last is not null)
            {
                _last.Answers.AddRange(answers);
                answers.Clear();
                return answers;
            }
        }
        foreach (var answer in answers)
            answer.Release();
        answers.Clear();
        return answers;
    }

    private void FlushBatch(List<Reply> answers)
    {
        _batch.WriteTo(_batchBytes);
        var records = _batch.Count;
        _batch.Dispose();
        _batch = new RecordBatchBuilder();
        // The partition has copied the bytes when this returns.
        var append = new Append(shard.Partition.AppendAsync(new ReadOnlySequence<byte>(_batchBytes.WrittenMemory), Acks.All, ProduceVersion), answers, records);
        _batchBytes.Truncate(0);
        bool first;
        lock (_lock)
        {
            first = _last is null;
            _last = append;
            _underWay.Enqueue(append);
        }
        if (first)
            ports.Scheduler.Start("group answers", CompleteAsync);
    }

    /// <summary>Lets answers go in the order of the appends, until nothing is under way.</summary>
    private async Task CompleteAsync()
    {
        while (true)
        {
            Append append;
            lock (_lock)
            {
                if (_failed)
                    return;
                append = _underWay.Peek();
            }
            var result = await append.Result;
            if (result.Error != ErrorCode.None)
            {
                shard.Log.LogWarning(
                    "{Count} records cannot be appended to {Partition} ({Error}); its groups are loaded anew.", append.Records, shard.Partition.Id, result.Error);
                shard.End(CodeOf(result.Error));
                return;
            }
            bool more;
            lock (_lock)
            {
                if (_failed)
                    return;
                _underWay.Dequeue();
                more = _underWay.Count > 0;
                if (!more)
                    _last = null;
            }
            foreach (var answer in append.Answers)
                answer.Release();
            if (!more)
                return;
        }
    }

    /// <summary>Nobody gets what was decided any more.</summary>
    public void Fail(ErrorCode error)
    {
        List<Append> underWay;
        lock (_lock)
        {
            _failed = true;
            underWay = [.. _underWay];
            _underWay.Clear();
            _last = null;
        }
        foreach (var answer in underWay.SelectMany(a => a.Answers))
            answer.Fail(error);
        _batch.Dispose();
        _decision.Dispose();
        _batchBytes.Dispose();
        _writer.Dispose();
    }

    /// <summary>What a client is told whose records could not be appended: to look for the coordinator, or to try again.</summary>
    private static ErrorCode CodeOf(ErrorCode append) => append switch
    {
        ErrorCode.NotLeaderOrFollower or ErrorCode.KafkaStorageError or ErrorCode.UnknownTopicOrPartition => ErrorCode.NotCoordinator,
        ErrorCode.NotEnoughReplicas or ErrorCode.NotEnoughReplicasAfterAppend or ErrorCode.RequestTimedOut => ErrorCode.CoordinatorNotAvailable,
        _ => ErrorCode.UnknownServerError,
    };
}
