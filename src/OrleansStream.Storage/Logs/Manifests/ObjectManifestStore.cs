using System.Buffers;
using OrleansStream.Storage.Ports;

namespace OrleansStream.Storage.Logs;

/// <summary>Manifests as objects in the store, beside the segments that they name.</summary>
public sealed class ObjectManifestStore(IObjectStore store) : IManifestStore
{
    public ValueTask<StoredObject?> LoadAsync(PartitionId partition, CancellationToken cancel) =>
        store.ReadAsync(ManifestNames.Manifest(partition), cancel);

    public ValueTask<PutResult> SwapAsync(PartitionId partition, ReadOnlyMemory<byte> manifest, string? etag, CancellationToken cancel)
    {
        var name = ManifestNames.Manifest(partition);
        var content = new ReadOnlySequence<byte>(manifest);
        return etag is null ? store.CreateAsync(name, content, cancel) : store.ReplaceAsync(name, content, etag, cancel);
    }

    public ValueTask DeleteAsync(PartitionId partition, CancellationToken cancel) =>
        store.DeleteAsync(ManifestNames.Manifest(partition), cancel);
}
