using OrleansStream.Platform.Stores;
using OrleansStream.Storage.Ports;
using OrleansStream.TestSupport;

namespace OrleansStream.Platform.Tests.Stores;

public sealed class MemoryStoreContractTests : ObjectStoreContract
{
    private readonly MemoryObjectStore _store = new();

    protected override ValueTask<IObjectStore> StoreAsync() => new(_store);
}

public sealed class FolderStoreContractTests : ObjectStoreContract, IDisposable
{
    private readonly TemporaryFolder _folder = new();
    private readonly FolderObjectStore _store;

    public FolderStoreContractTests() => _store = new FolderObjectStore(_folder.Path);

    protected override ValueTask<IObjectStore> StoreAsync() => new(_store);

    public void Dispose()
    {
        _store.Dispose();
        _folder.Dispose();
    }
}

public sealed class BufferedFolderStoreContractTests : ObjectStoreContract, IDisposable
{
    private readonly TemporaryFolder _folder = new();
    private readonly FolderObjectStore _store;

    public BufferedFolderStoreContractTests() => _store = new FolderObjectStore(_folder.Path, direct: false);

    protected override ValueTask<IObjectStore> StoreAsync() => new(_store);

    public void Dispose()
    {
        _store.Dispose();
        _folder.Dispose();
    }
}

[Collection("azurite")]
public sealed class AzureStoreContractTests(AzuriteFixture azurite) : ObjectStoreContract
{
    protected override async ValueTask<IObjectStore> StoreAsync()
    {
        Skip.If(azurite.Reason is not null, azurite.Reason);
        return await AzureObjectStore.OpenAsync(azurite.ConnectionString, "contract", new AzureStoreOptions { BlockBytes = 4 << 20 }, default);
    }
}
