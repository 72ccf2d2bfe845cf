using OrleansStream.TestSupport;

namespace OrleansStream.Platform.Tests.Stores;

/// <summary>One Azurite for all tests that name this collection.</summary>
[CollectionDefinition("azurite")]
public sealed class AzuriteFixture : IAsyncLifetime, ICollectionFixture<AzuriteFixture>
{
    private Azurite? _azurite;

    public string? Reason { get; private set; }
    public string ConnectionString => _azurite!.ConnectionString;

    public async Task InitializeAsync()
    {
        (_azurite, Reason) = await Azurite.TryStartAsync();
        if (Reason is not null)
            await Console.Error.WriteLineAsync($"SKIPPED: every test over Azure's store. {Reason}");
    }

    public Task DisposeAsync()
    {
        _azurite?.Dispose();
        return Task.CompletedTask;
    }
}
