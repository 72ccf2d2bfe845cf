using System.Buffers;
using Microsoft.Extensions.Logging;
using OrleansStream.Protocol.Compression;
using OrleansStream.Storage;
using OrleansStream.Storage.Ports;
using OrleansStream.Storage.Segments;

namespace OrleansStream.Broker.Groups.Snapshots;

/// <summary>
/// Where snapshots are: one object for each partition of __consumer_offsets, beside its manifest, so that it goes when the partition does. It is only ever
/// replaced by one that covers more (a conditional write by whoever read the one before), and the log remains what counts: a snapshot that is not there, not
/// understood or not of this log costs time and nothing else.
/// </summary>
/// <param name="everyRecords">After how many records in the log another snapshot is taken; more where more records than that survive.</param>
internal sealed class SnapshotStore(IObjectStore store, ILoggerFactory logs, int everyRecords)
{
    /// <summary>What is larger is not written: it would be read whole.</summary>
    public const long MaxBytes = 256 << 20;

    private readonly ILogger _log = logs.CreateLogger<SnapshotStore>();

    public int EveryRecords => everyRecords;

    private static string NameOf(PartitionId partition) => SegmentNames.PartitionPrefix(partition) + "groups";

    /// <summary>
    /// The snapshot, where there is one that can be understood, and the ETag of what is there. Throws <see cref="StoreUnavailableException"/>.
    /// </summary>
    public async ValueTask<(GroupSnapshot? Snapshot, string? ETag)> ReadAsync(PartitionId partition, CancellationToken cancel)
    {
        var name = NameOf(partition);
        if (await store.ReadAsync(name, cancel) is not { } there)
            return (null, null);
        try
        {
            return (GroupSnapshot.Open(name, partition, there.Content), there.ETag);
        }
        catch (Exception e) when (e is InvalidDataException or UnsupportedFormatException)
        {
            _log.LogWarning("The whole log of {Partition} is read instead of its snapshot: {Reason}", partition, e.Message);
            return (null, there.ETag);
        }
    }

    /// <summary>Puts a snapshot in the place of the one that was read. False: another one was first, or nobody knows; the next one reads what is there.</summary>
    public async ValueTask<bool> WriteAsync(PartitionId partition, PooledBuffer content, string? etag, CancellationToken cancel)
    {
        var bytes = new ReadOnlySequence<byte>(content.WrittenMemory);
        var put = etag is null ? await store.CreateAsync(NameOf(partition), bytes, cancel) : await store.ReplaceAsync(NameOf(partition), bytes, etag, cancel);
        return put.Outcome == PutOutcome.Done;
    }
}
