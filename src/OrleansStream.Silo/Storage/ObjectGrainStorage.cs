using System.Buffers;
using Orleans;
using Orleans.Runtime;
using Orleans.Storage;
using OrleansStream.Storage.Ports;

namespace OrleansStream.Silo.Storage;

/// <summary>
/// States of grains as objects of the store that keeps the data, one each; their ETags are the objects'.
/// </summary>
/// <param name="nameOf">The object's name, of a state's name and its grain. Throws <see cref="ArgumentException"/> for what this storage does not keep.</param>
public sealed class ObjectGrainStorage(IObjectStore store, IGrainStorageSerializer serializer, Func<string, GrainId, string> nameOf) : IGrainStorage
{
    /// <summary>Throws <see cref="StoreUnavailableException"/>.</summary>
    public async Task ReadStateAsync<T>(string stateName, GrainId grainId, IGrainState<T> grainState)
    {
        StoredObject? there = await store.ReadAsync(nameOf(stateName, grainId), default);
        grainState.ETag = there?.ETag;
        grainState.RecordExists = there is not null;
        grainState.State = there is null ? Activator.CreateInstance<T>() : serializer.Deserialize<T>(there.Content)!;
    }

    /// <summary>
    /// Creates the object where the state has no ETag, replaces it where it has one. Throws <see cref="InconsistentStateException"/> where the object is another
    /// by now, and <see cref="StoreUnavailableException"/> where the store does not say whether it was written: then only reading tells.
    /// </summary>
    public async Task WriteStateAsync<T>(string stateName, GrainId grainId, IGrainState<T> grainState)
    {
        string name = nameOf(stateName, grainId);
        var content = new ReadOnlySequence<byte>(serializer.Serialize(grainState.State).ToMemory());
        PutResult put = string.IsNullOrEmpty(grainState.ETag)
            ? await store.CreateAsync(name, content, default)
            : await store.ReplaceAsync(name, content, grainState.ETag, default);
        switch (put.Outcome)
        {
            case PutOutcome.Done:
                grainState.ETag = put.ETag;
                grainState.RecordExists = true;
                break;
            case PutOutcome.Conflict:
                throw new InconsistentStateException($"the object '{name}' is another by now", "unknown", grainState.ETag);
            default:
                throw new StoreUnavailableException($"the store does not say whether '{name}' was written");
        }
    }

    /// <summary>
    /// Deletes the object if it still is the one that the state knows. The store has no delete under a condition, so a write at the same moment is lost:
    /// clear only what nobody writes any more, as a deleted topic's manifests. Throws <see cref="InconsistentStateException"/>,
    /// <see cref="StoreUnavailableException"/>.
    /// </summary>
    public async Task ClearStateAsync<T>(string stateName, GrainId grainId, IGrainState<T> grainState)
    {
        string name = nameOf(stateName, grainId);
        StoredObject? there = await store.ReadAsync(name, default);
        if (there is not null && there.ETag != grainState.ETag)
            throw new InconsistentStateException($"the object '{name}' is another by now", there.ETag, grainState.ETag);
        await store.DeleteAsync(name, default);
        grainState.ETag = null;
        grainState.RecordExists = false;
        grainState.State = Activator.CreateInstance<T>();
    }
}
