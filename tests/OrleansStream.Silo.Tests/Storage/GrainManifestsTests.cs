using Microsoft.Extensions.Logging.Abstractions;
using Orleans;
using Orleans.Runtime;
using Orleans.Storage;
using OrleansStream.Silo.Storage;
using OrleansStream.Storage;
using OrleansStream.Storage.Logs;
using OrleansStream.Storage.Ports;
using OrleansStream.TestSupport;

namespace OrleansStream.Silo.Tests.Storage;

/// <summary>Manifests as grain state are the objects that an engine without grains reads and writes.</summary>
public sealed class GrainManifestsTests
{
    private static readonly PartitionId Partition = new(Guid.Parse("0a1b2c3d-0000-4000-8000-000000000001"), 7);
    private static readonly byte[] First = [1, 2, 3];
    private static readonly byte[] Second = [4, 5];

    private readonly MemoryObjectStore _store = new();
    private readonly GrainManifests _grains;
    private readonly ObjectManifestStore _objects;

    public GrainManifestsTests()
    {
        _grains = Over(GrainManifests.InStore(_store));
        _objects = new ObjectManifestStore(_store);
    }

    [Fact]
    public async Task A_partition_without_a_manifest_has_none() => Assert.Null(await _grains.LoadAsync(Partition, default));

    [Fact]
    public async Task Both_ways_write_the_same_object()
    {
        PutResult created = await _grains.SwapAsync(Partition, First, null, default);
        Assert.Equal(PutOutcome.Done, created.Outcome);
        StoredObject seen = (await _objects.LoadAsync(Partition, default))!;
        AssertIs(First, created.ETag, seen);

        PutResult replaced = await _objects.SwapAsync(Partition, Second, created.ETag, default);
        seen = (await _grains.LoadAsync(Partition, default))!;
        AssertIs(Second, replaced.ETag, seen);

        Assert.Equal(PutOutcome.Done, (await _grains.SwapAsync(Partition, First, seen.ETag, default)).Outcome);
        Assert.Equal(First, (await _objects.LoadAsync(Partition, default))!.Content.ToArray());
        Assert.Equal([ManifestNames.Manifest(Partition)], _store.Names);
    }

    [Fact]
    public async Task A_swap_under_a_past_etag_and_a_second_creation_are_conflicts()
    {
        string etag = (await _grains.SwapAsync(Partition, First, null, default)).ETag!;
        Assert.Equal(PutResult.Conflict, await _grains.SwapAsync(Partition, Second, null, default));
        Assert.Equal(PutOutcome.Done, (await _objects.SwapAsync(Partition, Second, etag, default)).Outcome);
        Assert.Equal(PutResult.Conflict, await _grains.SwapAsync(Partition, First, etag, default));
        Assert.Equal(Second, (await _grains.LoadAsync(Partition, default))!.Content.ToArray());
    }

    [Fact]
    public async Task The_grain_storage_says_a_conflict_in_Orleans_words()
    {
        ObjectGrainStorage storage = GrainManifests.InStore(_store);
        GrainId grain = PartitionGrainId.Of(Partition);
        await _grains.SwapAsync(Partition, First, null, default);
        var state = new GrainState<ManifestState>(new ManifestState { Bytes = Second });
        await Assert.ThrowsAsync<InconsistentStateException>(() => storage.WriteStateAsync(GrainManifests.StateName, grain, state));
        await storage.ReadStateAsync(GrainManifests.StateName, grain, state);
        Assert.True(state.RecordExists);
        Assert.Equal(First, state.State!.Bytes.ToArray());
        string past = state.ETag!;
        await storage.WriteStateAsync(GrainManifests.StateName, grain, state);
        Assert.NotEqual(past, state.ETag);
        state.ETag = past;
        await Assert.ThrowsAsync<InconsistentStateException>(() => storage.ClearStateAsync(GrainManifests.StateName, grain, state));
        Assert.NotNull(await _grains.LoadAsync(Partition, default));
    }

    [Fact]
    public async Task An_unknown_outcome_stays_unknown()
    {
        _store.LoseAnswer = static _ => true;
        Assert.Equal(PutResult.Unknown, await _grains.SwapAsync(Partition, First, null, default));
        Assert.Equal(First, (await _grains.LoadAsync(Partition, default))!.Content.ToArray());
        Assert.Equal(PutResult.Unknown, await Over(new Throws(new TimeoutException())).SwapAsync(Partition, First, null, default));
    }

    [Fact]
    public async Task A_provider_that_cannot_read_is_a_store_that_is_away() =>
        await Assert.ThrowsAsync<StoreUnavailableException>(() => Over(new Throws(new TimeoutException())).LoadAsync(Partition, default).AsTask());

    [Fact]
    public async Task A_manifest_is_deleted_and_one_that_is_not_there_is_no_error()
    {
        await _grains.DeleteAsync(Partition, default);
        await _grains.SwapAsync(Partition, First, null, default);
        await _grains.DeleteAsync(Partition, default);
        Assert.Empty(_store.Names);
    }

    [Fact]
    public async Task Other_states_are_not_kept_there()
    {
        ObjectGrainStorage storage = GrainManifests.InStore(_store);
        var state = new GrainState<ManifestState>(new ManifestState());
        await Assert.ThrowsAsync<ArgumentException>(() => storage.ReadStateAsync("another", PartitionGrainId.Of(Partition), state));
        await Assert.ThrowsAsync<ArgumentException>(() => storage.ReadStateAsync(GrainManifests.StateName, GrainId.Create("topic", "a"), state));
    }

    private static void AssertIs(byte[] bytes, string? etag, StoredObject seen)
    {
        Assert.Equal(bytes, seen.Content.ToArray());
        Assert.Equal(etag, seen.ETag);
    }

    private static GrainManifests Over(IGrainStorage storage) => new(storage, NullLogger<GrainManifests>.Instance);

    private sealed class Throws(Exception exception) : IGrainStorage
    {
        public Task ReadStateAsync<T>(string stateName, GrainId grainId, IGrainState<T> grainState) => Task.FromException(exception);

        public Task WriteStateAsync<T>(string stateName, GrainId grainId, IGrainState<T> grainState) => Task.FromException(exception);

        public Task ClearStateAsync<T>(string stateName, GrainId grainId, IGrainState<T> grainState) => Task.FromException(exception);
    }
}
