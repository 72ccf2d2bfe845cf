using System.Text;
using Orleans;
using Orleans.Runtime;
using OrleansStream.Platform.Stores;
using OrleansStream.Silo.Membership;
using OrleansStream.Storage;
using OrleansStream.Storage.Ports;
using OrleansStream.TestSupport;

namespace OrleansStream.Silo.Tests.Membership;

public sealed class MembershipInMemoryTests : MembershipTableRules
{
    private readonly MemoryObjectStore _store = new();

    protected override ValueTask<IObjectStore> StoreAsync() => new(_store);
}

public sealed class MembershipInFolderTests : MembershipTableRules, IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("ostream-membership-").FullName;
    private readonly FolderObjectStore _store;

    public MembershipInFolderTests() => _store = new FolderObjectStore(_folder);

    protected override ValueTask<IObjectStore> StoreAsync() => new(_store);

    public void Dispose()
    {
        _store.Dispose();
        Directory.Delete(_folder, recursive: true);
    }
}

[Collection("azurite")]
public sealed class MembershipInContainerTests(AzuriteFixture azurite) : MembershipTableRules
{
    protected override async ValueTask<IObjectStore> StoreAsync()
    {
        Skip.If(azurite.Reason is not null, azurite.Reason);
        return await AzureObjectStore.OpenAsync(azurite.ConnectionString, "membership", null, default);
    }
}

/// <summary>What the store may do to a writer: lose its answer, be away; and what else may lie there.</summary>
public sealed class MembershipFaultTests
{
    private readonly MemoryObjectStore _store = new();

    private ObjectMembershipTable Table => new(_store, "test", TimeProvider.System);

    [Fact]
    public async Task A_write_whose_answer_was_lost_counts_once()
    {
        int lost = 0;
        _store.LoseAnswer = _ => Interlocked.Increment(ref lost) % 2 == 1;
        MembershipEntry row = Silos.Row();
        Assert.True(await Table.InsertRowAsync(row, (await Table.ReadAllAsync(default)).Version.Next(), default));
        (await Table.ReadAllAsync(default)).TryGet(row.SiloAddress)!.Deconstruct(out _, out string etag);
        row.Status = SiloStatus.Active;
        Assert.True(await Table.UpdateRowAsync(row, etag, (await Table.ReadAllAsync(default)).Version.Next(), default));
        MembershipTableData all = await Table.ReadAllAsync(default);
        Assert.Equal((2, 1, SiloStatus.Active), (all.Version.Version, all.Members.Count, all.Members[0].Item1.Status));
    }

    [Fact]
    public async Task A_write_whose_answer_was_lost_is_found_below_the_writes_of_others()
    {
        MembershipEntry living = Silos.Row(SiloStatus.Active);
        await Silos.InsertAsync(Table, living);
        bool lose = true;
        _store.LoseAnswer = _ => lose;
        // Between the write that lost its answer and the look at what became of it, another silo writes.
        bool between = false;
        _store.BeforeCall = async (operation, _) =>
        {
            if (operation != "read" || !lose || !between)
            {
                between = operation == "replace";
                return;
            }
            lose = false;
            await Table.UpdateIAmAliveAsync(new MembershipEntry { SiloAddress = living.SiloAddress, IAmAliveTime = Silos.Start.AddSeconds(1) }, default);
        };
        MembershipEntry row = Silos.Row();
        Assert.True(await Table.InsertRowAsync(row, (await Table.ReadAllAsync(default)).Version.Next(), default));
        MembershipTableData all = await Table.ReadAllAsync(default);
        Assert.Equal((2, 2), (all.Version.Version, all.Members.Count));
        Assert.Equal(Silos.Start.AddSeconds(1), all.TryGet(living.SiloAddress)!.Item1.IAmAliveTime);
    }

    [Fact]
    public async Task A_store_that_is_away_is_told_to_Orleans()
    {
        _store.BeforeCall = static (_, _) => throw new StoreUnavailableException("away");
        await Assert.ThrowsAsync<StoreUnavailableException>(() => Table.InitializeMembershipTableAsync(true, default));
        await Assert.ThrowsAsync<StoreUnavailableException>(() => Table.UpdateIAmAliveAsync(Silos.Row(), default));
    }

    [Fact]
    public async Task What_is_no_table_of_ours_is_refused_by_name()
    {
        await Silos.InsertAsync(Table, Silos.Row());
        _store.Tamper("cluster/membership/test", static _ => "[]"u8.ToArray());
        Assert.Contains("cluster/membership/test", (await Assert.ThrowsAsync<InvalidDataException>(() => Table.ReadAllAsync(default))).Message, StringComparison.Ordinal);
        _store.Tamper("cluster/membership/test", static _ => "{ \"format\": 2 }"u8.ToArray());
        await Assert.ThrowsAsync<UnsupportedFormatException>(() => Table.ReadAllAsync(default));
    }

    [Fact]
    public async Task The_object_is_one_that_people_can_read()
    {
        MembershipEntry row = Silos.Row(SiloStatus.Active);
        await Silos.InsertAsync(Table, row);
        string text = Encoding.UTF8.GetString((await _store.ReadAsync("cluster/membership/test", default))!.Content.Span);
        Assert.Contains($"\"address\": \"{row.SiloAddress.ToParsableString()}\"", text, StringComparison.Ordinal);
        Assert.Contains("\"status\": \"Active\"", text, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("")]
    [InlineData("a/b")]
    [InlineData("..")]
    public void A_cluster_id_that_cannot_name_an_object_is_refused(string clusterId) =>
        Assert.Throws<ArgumentException>(() => new ObjectMembershipTable(_store, clusterId, TimeProvider.System));
}
