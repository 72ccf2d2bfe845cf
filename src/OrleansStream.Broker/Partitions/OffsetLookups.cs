using System.Buffers;
using OrleansStream.Protocol;
using OrleansStream.Protocol.Records;
using OrleansStream.Storage.Logs;

namespace OrleansStream.Broker.Partitions;

/// <summary>ListOffsets for one log: the specials and the search by timestamp. Answers what Apache Kafka 4.3 answers for a topic without tiered storage.</summary>
internal static class OffsetLookups
{
    public const long Latest = -1;
    public const long Earliest = -2;
    public const long MaxTimestamp = -3;
    public const long EarliestLocal = -4;
    public const long LatestTiered = -5;
    public const long EarliestPendingUpload = -6;

    private const int ScanBytes = 1 << 20;

    private static readonly OffsetLookup NotFound = new(ErrorCode.None);

    /// <param name="limit">High watermark or last stable offset, as the isolation level says.</param>
    /// <param name="timestamp">Milliseconds, or one of the specials.</param>
    public static async ValueTask<OffsetLookup> FindAsync(PartitionLog log, long timestamp, long limit, int maxDecompressedBytes, CancellationToken cancel)
    {
        switch (timestamp)
        {
            case Latest:
                return new OffsetLookup(ErrorCode.None, -1, limit, log.LeaderEpoch);
            case Earliest or EarliestLocal:
                // To clients there is no tiered storage: where we keep what is sealed is our own affair, so all of the log is "local".
                var start = log.LogStartOffset;
                return new OffsetLookup(ErrorCode.None, -1, start, log.EpochOf(start));
            case LatestTiered or EarliestPendingUpload:
                return NotFound;
            case MaxTimestamp:
                return await MaxAsync(log, limit, maxDecompressedBytes, cancel);
            case < 0:
                return new OffsetLookup(ErrorCode.UnsupportedVersion);
            default:
                return await SearchAsync(log, timestamp, limit, maxDecompressedBytes, cancel);
        }
    }

    /// <summary>
    /// The record with the largest timestamp, among those that are still there. Kafka may name one that DeleteRecords has removed, as long as its segment
    /// is there; nobody could read it.
    /// </summary>
    private static async ValueTask<OffsetLookup> MaxAsync(PartitionLog log, long limit, int maxDecompressedBytes, CancellationToken cancel)
    {
        var known = await log.TimestampsAsync(limit, cancel);
        if (known.Status != LogStatus.Ok)
            return new OffsetLookup(LogErrors.CodeOf(known.Status));
        var best = await ScanMaxAsync(log, known.MixedUpTo, maxDecompressedBytes, cancel);
        return best.Error != ErrorCode.None || best.Timestamp >= known.Max ? best : await SearchAsync(log, known.Max, limit, maxDecompressedBytes, cancel);
    }

    /// <summary>The first of the records with the largest timestamp from the log's start on and below an offset.</summary>
    private static async ValueTask<OffsetLookup> ScanMaxAsync(PartitionLog log, long end, int maxDecompressedBytes, CancellationToken cancel)
    {
        var best = NotFound;
        var start = log.LogStartOffset;
        var failure = await WalkAsync(log, end, Look, cancel);
        return failure ?? best;

        OffsetLookup? Look(in ReadOnlySequence<byte> batches, in RecordBatchHeader header)
        {
            if (header.MaxTimestamp > best.Timestamp)
                best = Later(batches, best, start, maxDecompressedBytes);
            return null;
        }
    }

    private delegate OffsetLookup? BatchLook(in ReadOnlySequence<byte> batches, in RecordBatchHeader header);

    /// <summary>Looks at one batch after another from the log's start on and below an offset, until a look has an answer; null where none has.</summary>
    private static async ValueTask<OffsetLookup?> WalkAsync(PartitionLog log, long end, BatchLook look, CancellationToken cancel)
    {
        for (var offset = log.LogStartOffset; offset < end;)
        {
            var read = await log.ReadAsync(offset, ScanBytes, true, end, cancel);
            using (read.Hold)
            {
                if (read.Status != LogStatus.Ok)
                    return new OffsetLookup(LogErrors.CodeOf(read.Status));
                var rest = read.Batches;
                if (rest.IsEmpty)
                    return null;
                while (RecordBatchHeader.TryRead(rest, out var header))
                {
                    try
                    {
                        if (look(rest, header) is { } found)
                            return found;
                    }
                    catch (CorruptRecordsException)
                    {
                        return new OffsetLookup(ErrorCode.CorruptMessage);
                    }
                    offset = header.NextOffset;
                    rest = rest.Slice(header.SizeInBytes);
                }
            }
        }
        return null;
    }

    private static OffsetLookup Later(in ReadOnlySequence<byte> batches, OffsetLookup best, long start, int maxDecompressedBytes)
    {
        using var opened = OpenedRecords.Open(batches, maxDecompressedBytes);
        foreach (var record in opened)
        {
            if (record.Timestamp > best.Timestamp && record.Offset >= start)
                best = new OffsetLookup(ErrorCode.None, record.Timestamp, record.Offset, opened.Header.PartitionLeaderEpoch);
        }
        return best;
    }

    private static async ValueTask<OffsetLookup> SearchAsync(PartitionLog log, long timestamp, long limit, int maxDecompressedBytes, CancellationToken cancel)
    {
        var read = await log.FindTimestampAsync(timestamp, limit, cancel);
        using (read.Hold)
        {
            if (read.Status != LogStatus.Ok)
                return new OffsetLookup(LogErrors.CodeOf(read.Status));
            if (read.Batches.IsEmpty)
                return NotFound;
            try
            {
                if (FirstNotBelow(read.Batches, timestamp, log.LogStartOffset, maxDecompressedBytes) is { } found)
                    return found;
            }
            catch (CorruptRecordsException)
            {
                return new OffsetLookup(ErrorCode.CorruptMessage);
            }
        }
        // The batch that the index knows lies before the log's start, at least in part: look through what follows.
        return await WalkAsync(log, limit, Look, cancel) ?? NotFound;

        OffsetLookup? Look(in ReadOnlySequence<byte> batches, in RecordBatchHeader header) =>
            header.MaxTimestamp >= timestamp ? FirstNotBelow(batches, timestamp, log.LogStartOffset, maxDecompressedBytes) : null;
    }

    /// <summary>The first record of the first batch that is late enough and can be read.</summary>
    private static OffsetLookup? FirstNotBelow(in ReadOnlySequence<byte> batches, long timestamp, long start, int maxDecompressedBytes)
    {
        using var opened = OpenedRecords.Open(batches, maxDecompressedBytes);
        foreach (var record in opened)
        {
            if (record.Timestamp >= timestamp && record.Offset >= start)
                return new OffsetLookup(ErrorCode.None, record.Timestamp, record.Offset, opened.Header.PartitionLeaderEpoch);
        }
        return null;
    }
}
