using Microsoft.Extensions.Logging;
using Orleans;
using Orleans.Runtime;
using Orleans.Storage;
using OrleansStream.Storage;
using OrleansStream.Storage.Logs;
using OrleansStream.Storage.Ports;

namespace OrleansStream.Silo.Storage;

/// <summary>
/// Manifests as the state of their partitions' grains, in whatever grain storage has the name <see cref="ProviderName"/>. The log swaps them itself, outside
/// of a grain's turn: an ETag guards each, so it does not matter who else believes to own the partition.
/// </summary>
public sealed class GrainManifests(IGrainStorage storage, ILogger<GrainManifests> log) : IManifestStore
{
    /// <summary>The grain storage provider that keeps manifests.</summary>
    public const string ProviderName = "manifests";

    /// <summary>The name of a partition grain's state.</summary>
    public const string StateName = "manifest";

    /// <summary>The storage that keeps them where an engine without grains looks for them, under the same names and as the same bytes.</summary>
    public static ObjectGrainStorage InStore(IObjectStore store) => new(store, new ManifestSerializer(), NameOf);

    public async ValueTask<StoredObject?> LoadAsync(PartitionId partition, CancellationToken cancel)
    {
        var state = new GrainState<ManifestState>(new ManifestState());
        await ReadAsync(partition, state, cancel);
        return state.RecordExists ? new StoredObject(state.State!.Bytes, state.ETag!) : null;
    }

    public async ValueTask<PutResult> SwapAsync(PartitionId partition, ReadOnlyMemory<byte> manifest, string? etag, CancellationToken cancel)
    {
        var state = new GrainState<ManifestState>(new ManifestState { Bytes = manifest }, etag!) { RecordExists = etag is not null };
        try
        {
            await storage.WriteStateAsync(StateName, PartitionGrainId.Of(partition), state, cancel);
            return PutResult.Done(state.ETag!);
        }
        catch (InconsistentStateException)
        {
            return PutResult.Conflict;
        }
        catch (Exception e) when (!cancel.IsCancellationRequested)
        {
            // Providers throw what they like. Whatever it was, the write may have happened: the log reads again.
            log.LogWarning(e, "Unknown whether the manifest of {Partition} was written", partition);
            return PutResult.Unknown;
        }
    }

    public async ValueTask DeleteAsync(PartitionId partition, CancellationToken cancel)
    {
        var state = new GrainState<ManifestState>(new ManifestState());
        await ReadAsync(partition, state, cancel);
        if (!state.RecordExists)
            return;
        try
        {
            await storage.ClearStateAsync(StateName, PartitionGrainId.Of(partition), state, cancel);
        }
        catch (Exception e) when (e is not (IOException or OperationCanceledException))
        {
            throw new StoreUnavailableException($"the manifest of {partition} was not deleted: {e.Message}", e);
        }
    }

    private async ValueTask ReadAsync(PartitionId partition, GrainState<ManifestState> state, CancellationToken cancel)
    {
        try
        {
            await storage.ReadStateAsync(StateName, PartitionGrainId.Of(partition), state, cancel);
        }
        catch (Exception e) when (e is not (IOException or OperationCanceledException))
        {
            throw new StoreUnavailableException($"the manifest of {partition} cannot be read: {e.Message}", e);
        }
    }

    private static string NameOf(string stateName, GrainId grain) => stateName == StateName && PartitionGrainId.TryParse(grain, out PartitionId partition)
        ? ManifestNames.Manifest(partition)
        : throw new ArgumentException($"the storage '{ProviderName}' keeps the manifests of partitions only, not '{stateName}' of {grain}");
}
