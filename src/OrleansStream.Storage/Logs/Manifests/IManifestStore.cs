using OrleansStream.Storage.Ports;

namespace OrleansStream.Storage.Logs;

/// <summary>
/// Keeps each partition's manifest behind an ETag: an object in the store, or the state of a grain. The log resolves what ended
/// <see cref="PutOutcome.Unknown"/> by loading again.
/// </summary>
public interface IManifestStore
{
    /// <summary>The manifest's bytes and ETag; null where the partition has none.</summary>
    ValueTask<StoredObject?> LoadAsync(PartitionId partition, CancellationToken cancel);

    /// <summary>Replaces the manifest if its ETag is <paramref name="etag"/>; with null, creates it if there is none.</summary>
    ValueTask<PutResult> SwapAsync(PartitionId partition, ReadOnlyMemory<byte> manifest, string? etag, CancellationToken cancel);

    /// <summary>Deletes the manifest; no error when it is not there.</summary>
    ValueTask DeleteAsync(PartitionId partition, CancellationToken cancel);
}
