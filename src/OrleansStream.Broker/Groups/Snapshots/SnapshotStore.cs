using System.Buffers;
using System.Globalization;
using Microsoft.Extensions.Logging;
using OrleansStream.Protocol.Compression;
using OrleansStream.Storage;
using OrleansStream.Storage.Ports;
using OrleansStream.Storage.Segments;

namespace OrleansStream.Broker.Groups.Snapshots;

/// <summary>
/// Where snapshots are: objects beside the partition's manifest, so that they go when the partition does, each named by where it ends and written once; the
/// newest counts. The log remains what counts: a snapshot that is not there, not understood or not of this log costs time and nothing else.
/// </summary>
/// <param name="everyRecords">After how many records in the log another snapshot is taken; more where more records than that survive.</param>
internal sealed class SnapshotStore(IObjectStore store, ILoggerFactory logs, int everyRecords)
{
    /// <summary>What is larger is not written: it would be read whole.</summary>
    public const long MaxBytes = 256 << 20;

    private readonly ILogger _log = logs.CreateLogger<SnapshotStore>();

    public int EveryRecords => everyRecords;

    /// <summary>Where the snapshots of a partition are.</summary>
    public static string Prefix(PartitionId partition) => SegmentNames.PartitionPrefix(partition) + "groups/";

    public static string NameOf(PartitionId partition, long nextOffset) =>
        Prefix(partition) + nextOffset.ToString("D20", CultureInfo.InvariantCulture);

    /// <summary>
    /// The newest snapshot that can be understood, where there is one, and the names of all that are there. Throws <see cref="StoreUnavailableException"/>.
    /// </summary>
    public async ValueTask<(GroupSnapshot? Snapshot, IReadOnlyList<string> Found)> ReadAsync(PartitionId partition, CancellationToken cancel)
    {
        var found = new List<string>();
        await foreach (var info in store.ListAsync(Prefix(partition), cancel))
            found.Add(info.Name);
        for (var i = found.Count - 1; i >= 0; i--)
        {
            // Gone: whoever wrote a newer one deletes those before it.
            if (await store.ReadAsync(found[i], cancel) is not { } there)
                continue;
            try
            {
                return (GroupSnapshot.Open(found[i], partition, there.Content), found);
            }
            catch (Exception e) when (e is InvalidDataException or UnsupportedFormatException)
            {
                _log.LogWarning("More of the log of {Partition} is read instead of a snapshot: {Reason}", partition, e.Message);
            }
        }
        return (null, found);
    }

    /// <summary>
    /// Puts a snapshot beside those that were found, and deletes these once it is there. False: nobody knows whether it is there; the next one finds out.
    /// </summary>
    public async ValueTask<bool> WriteAsync(PartitionId partition, long nextOffset, PooledBuffer content, IReadOnlyList<string> found, CancellationToken cancel)
    {
        var name = NameOf(partition, nextOffset);
        var put = await store.CreateAsync(name, new ReadOnlySequence<byte>(content.WrittenMemory), cancel);
        if (put.Outcome != PutOutcome.Done)
            return false;
        foreach (var earlier in found)
            await store.DeleteAsync(earlier, cancel);
        return true;
    }
}
