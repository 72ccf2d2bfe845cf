using OrleansStream.Platform.Stores;
using OrleansStream.Storage.Ports;
using OrleansStream.TestSupport;

namespace OrleansStream.Platform.Tests.Stores;

/// <summary>What callers see of a store that is not there.</summary>
public sealed class StoreAwayTests
{
    [SkippableFact]
    public async Task Azure_gone_means_unknown_for_writes_and_unavailable_for_all_else()
    {
        var (azurite, reason) = await Azurite.TryStartAsync();
        Skip.If(azurite is null, reason);
        AzureObjectStore store;
        using (azurite)
        {
            store = await AzureObjectStore.OpenAsync(azurite!.ConnectionString, "away", new AzureStoreOptions { Retries = 0, BlockBytes = 1 << 20 }, default);
            Assert.Equal(PutOutcome.Done, (await store.CreateAsync("a", new(new byte[10]), default)).Outcome);
        }
        Assert.Equal(PutResult.Unknown, await store.CreateAsync("b", new(new byte[10]), default));
        Assert.Equal(PutResult.Unknown, await store.CreateAsync("c", new(new byte[3 << 20]), default));
        Assert.Equal(PutResult.Unknown, await store.ReplaceAsync("a", new(new byte[10]), "x", default));
        await Assert.ThrowsAsync<StoreUnavailableException>(async () => await store.ReadAsync("a", default));
        await Assert.ThrowsAsync<StoreUnavailableException>(async () => await store.ReadRangeAsync("a", 0, new byte[5], default));
        await Assert.ThrowsAsync<StoreUnavailableException>(async () => await store.DeleteAsync("a", default));
        await Assert.ThrowsAsync<StoreUnavailableException>(async () => await store.ListAsync("", default).GetAsyncEnumerator().MoveNextAsync());
    }

    [Fact]
    public async Task A_folder_that_takes_no_new_file_says_so_and_goes_on_once_it_does()
    {
        using var folder = new TemporaryFolder();
        using var store = new FolderObjectStore(folder.Path);
        var first = await store.CreateAsync("a", new("1"u8.ToArray()), default);
        var temporary = Assert.Single(Directory.GetDirectories(folder.Combine(Path.Combine(".store", "temporary"))));
        Directory.Move(temporary, temporary + "-away");
        await Assert.ThrowsAsync<StoreUnavailableException>(async () => await store.CreateAsync("b", new(new byte[10]), default));
        await Assert.ThrowsAsync<StoreUnavailableException>(async () => await store.CreateAsync("b", new(new byte[1 << 20]), default));
        await Assert.ThrowsAsync<StoreUnavailableException>(async () => await store.ReplaceAsync("a", new(new byte[10]), first.ETag!, default));
        Assert.Equal("1"u8.ToArray(), (await store.ReadAsync("a", default))!.Content.ToArray());
        Directory.Move(temporary + "-away", temporary);
        Assert.Equal(PutOutcome.Done, (await store.CreateAsync("b", new(new byte[10]), default)).Outcome);
    }

    [Theory]
    [InlineData("")]
    [InlineData("/a")]
    [InlineData("a//b")]
    [InlineData("../a")]
    [InlineData(".store/locks/00")]
    [InlineData("a/.b")]
    [InlineData("a b")]
    public async Task A_name_that_could_leave_the_folder_is_refused(string name)
    {
        using var folder = new TemporaryFolder();
        using var store = new FolderObjectStore(folder.Path);
        await Assert.ThrowsAsync<ArgumentException>(async () => await store.CreateAsync(name, new(new byte[1]), default));
        await Assert.ThrowsAsync<ArgumentException>(async () => await store.ReadAsync(name, default));
    }
}
