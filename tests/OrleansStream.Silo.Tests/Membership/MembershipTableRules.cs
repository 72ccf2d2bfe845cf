using Orleans;
using Orleans.Runtime;
using OrleansStream.Silo.Membership;
using OrleansStream.Storage.Ports;

namespace OrleansStream.Silo.Tests.Membership;

/// <summary>
/// What Orleans asks of a membership table (its interface's contract, and the rules that its own tests check), against any store.
/// </summary>
public abstract class MembershipTableRules
{
    private readonly string _clusterId = "test-" + Guid.NewGuid().ToString("N");

    protected abstract ValueTask<IObjectStore> StoreAsync();

    private async Task<IMembershipTable> TableAsync()
    {
        var table = new ObjectMembershipTable(await StoreAsync(), _clusterId, TimeProvider.System);
        await table.InitializeMembershipTableAsync(true, default);
        return table;
    }

    [SkippableFact]
    public async Task A_table_that_nobody_wrote_is_empty_and_has_a_version()
    {
        MembershipTableData all = await (await TableAsync()).ReadAllAsync(default);
        Assert.Empty(all.Members);
        Assert.Equal(0, all.Version.Version);
        Assert.NotNull(all.Version.VersionEtag);
    }

    [SkippableFact]
    public async Task A_row_is_inserted_and_read_with_all_that_it_says()
    {
        IMembershipTable table = await TableAsync();
        MembershipEntry row = Silos.Row(SiloStatus.Active);
        row.SuspectTimes = [Tuple.Create(Silos.Address(), Silos.Start.AddSeconds(1)), Tuple.Create(Silos.Address(), Silos.Start.AddSeconds(2))];
        TableVersion before = (await table.ReadAllAsync(default)).Version;
        Assert.True(await table.InsertRowAsync(row, before.Next(), default));

        MembershipTableData all = await table.ReadAllAsync(default);
        MembershipTableData one = await table.ReadRowAsync(row.SiloAddress, default);
        (MembershipEntry read, string etag) = Assert.Single(all.Members);
        Assert.Equal(row.ToFullString(), read.ToFullString());
        Assert.Equal(
            (row.SiloAddress, row.Status, row.HostName, row.SiloName, row.RoleName, row.ProxyPort, row.UpdateZone, row.FaultZone, row.StartTime, row.IAmAliveTime),
            (read.SiloAddress, read.Status, read.HostName, read.SiloName, read.RoleName, read.ProxyPort, read.UpdateZone, read.FaultZone, read.StartTime, read.IAmAliveTime));
        Assert.Equal(row.SuspectTimes, read.SuspectTimes);
        Assert.NotNull(etag);
        Assert.Equal(1, all.Version.Version);
        Assert.NotEqual(before.VersionEtag, all.Version.VersionEtag);
        Assert.Equal(all.Version, one.Version);
        Assert.Equal((read.SiloAddress, etag), (Assert.Single(one.Members).Item1.SiloAddress, one.Members[0].Item2));
    }

    [SkippableFact]
    public async Task A_row_that_is_not_there_is_read_as_none_with_the_version()
    {
        IMembershipTable table = await TableAsync();
        await Silos.InsertAsync(table, Silos.Row());
        MembershipTableData read = await table.ReadRowAsync(Silos.Address(), default);
        Assert.Empty(read.Members);
        Assert.Equal(1, read.Version.Version);
    }

    [SkippableFact]
    public async Task An_insert_is_refused_for_a_silo_that_is_there_and_under_a_version_that_is_past()
    {
        IMembershipTable table = await TableAsync();
        MembershipEntry row = Silos.Row();
        TableVersion first = (await table.ReadAllAsync(default)).Version.Next();
        Assert.True(await table.InsertRowAsync(row, first, default));
        Assert.False(await table.InsertRowAsync(row, first, default));
        Assert.False(await table.InsertRowAsync(Silos.Row(), first, default));
        Assert.False(await table.InsertRowAsync(row, (await table.ReadAllAsync(default)).Version.Next(), default));
        MembershipTableData all = await table.ReadAllAsync(default);
        Assert.Single(all.Members);
        Assert.Equal(1, all.Version.Version);
    }

    [SkippableFact]
    public async Task An_update_needs_the_row_its_etag_and_the_newest_version()
    {
        IMembershipTable table = await TableAsync();
        MembershipEntry row = Silos.Row();
        TableVersion first = (await table.ReadAllAsync(default)).Version.Next();
        Assert.True(await table.InsertRowAsync(row, first, default));
        MembershipTableData before = await table.ReadAllAsync(default);
        string etag = before.TryGet(row.SiloAddress)!.Item2;

        row.Status = SiloStatus.Active;
        Assert.False(await table.UpdateRowAsync(row, etag, first, default));
        Assert.False(await table.UpdateRowAsync(row, "another", before.Version.Next(), default));
        Assert.False(await table.UpdateRowAsync(Silos.Row(), etag, before.Version.Next(), default));
        Assert.Equal(SiloStatus.Joining, (await table.ReadRowAsync(row.SiloAddress, default)).Members[0].Item1.Status);
        Assert.True(await table.UpdateRowAsync(row, etag, before.Version.Next(), default));
        Assert.False(await table.UpdateRowAsync(row, etag, before.Version.Next(), default));

        MembershipTableData after = await table.ReadAllAsync(default);
        Assert.Equal(SiloStatus.Active, after.Members[0].Item1.Status);
        Assert.NotEqual(etag, after.Members[0].Item2);
        Assert.Equal(2, after.Version.Version);
        Assert.NotEqual(before.Version.VersionEtag, after.Version.VersionEtag);
        Assert.False(await table.UpdateRowAsync(row, etag, after.Version.Next(), default));
    }

    [SkippableFact]
    public async Task Of_writers_at_the_same_moment_one_is_first_and_each_gets_its_turn()
    {
        const int Writers = 12;
        IMembershipTable table = await TableAsync();
        MembershipEntry row = Silos.Row();
        TableVersion first = (await table.ReadAllAsync(default)).Version.Next();
        bool[] inserted = await Task.WhenAll(Enumerable.Range(0, Writers).Select(_ => table.InsertRowAsync(row, first, default)));
        Assert.Single(inserted, static won => won);

        await Task.WhenAll(Enumerable.Range(0, Writers).Select(async _ =>
        {
            MembershipTableData seen;
            do
            {
                seen = await table.ReadAllAsync(default);
            }
            while (!await table.UpdateRowAsync(seen.Members[0].Item1, seen.Members[0].Item2, seen.Version.Next(), default));
        }));
        MembershipTableData all = await table.ReadAllAsync(default);
        Assert.Single(all.Members);
        Assert.Equal(1 + Writers, all.Version.Version);
    }

    [SkippableFact]
    public async Task That_a_silo_lives_changes_its_time_and_no_condition()
    {
        IMembershipTable table = await TableAsync();
        MembershipEntry row = Silos.Row(SiloStatus.Active);
        await Silos.InsertAsync(table, row, Silos.Row());
        MembershipTableData before = await table.ReadAllAsync(default);
        // As Orleans calls it: only address and time are set.
        await table.UpdateIAmAliveAsync(new MembershipEntry { SiloAddress = row.SiloAddress, IAmAliveTime = Silos.Start.AddSeconds(9) }, default);

        MembershipTableData after = await table.ReadAllAsync(default);
        (MembershipEntry read, string etag) = after.TryGet(row.SiloAddress)!;
        Assert.Equal((Silos.Start.AddSeconds(9), SiloStatus.Active, "a-silo"), (read.IAmAliveTime, read.Status, read.SiloName));
        Assert.Equal(before.Version, after.Version);
        Assert.Equal(before.TryGet(row.SiloAddress)!.Item2, etag);
        Assert.True(await table.UpdateRowAsync(read, etag, before.Version.Next(), default));
    }

    [SkippableFact]
    public async Task Signs_of_life_and_changes_do_not_undo_each_other()
    {
        const int Rounds = 10;
        IMembershipTable table = await TableAsync();
        MembershipEntry changed = Silos.Row();
        MembershipEntry[] living = [Silos.Row(SiloStatus.Active), Silos.Row(SiloStatus.Active)];
        await Silos.InsertAsync(table, [changed, .. living]);
        await Task.WhenAll(living.Select(async silo =>
        {
            for (int i = 1; i <= Rounds; i++)
                await table.UpdateIAmAliveAsync(new MembershipEntry { SiloAddress = silo.SiloAddress, IAmAliveTime = Silos.Start.AddSeconds(i) }, default);
        }).Append(Task.Run(async () =>
        {
            for (int i = 1; i <= Rounds; i++)
            {
                MembershipTableData seen = await table.ReadAllAsync(default);
                (MembershipEntry row, string etag) = seen.TryGet(changed.SiloAddress)!;
                row.FaultZone = i;
                Assert.True(await table.UpdateRowAsync(row, etag, seen.Version.Next(), default));
            }
        })));
        MembershipTableData all = await table.ReadAllAsync(default);
        Assert.Equal(3 + Rounds, all.Version.Version);
        Assert.Equal(Rounds, all.TryGet(changed.SiloAddress)!.Item1.FaultZone);
        Assert.All(living, silo => Assert.Equal(Silos.Start.AddSeconds(Rounds), all.TryGet(silo.SiloAddress)!.Item1.IAmAliveTime));
    }

    [SkippableFact]
    public async Task Old_rows_go_unless_they_are_active()
    {
        IMembershipTable table = await TableAsync();
        TimeSpan long_ = TimeSpan.FromDays(10);
        MembershipEntry suspected = Silos.Old(SiloStatus.Dead, long_);
        suspected.SuspectTimes = [Tuple.Create(Silos.Address(), Silos.Start)];
        MembershipEntry fresh = Silos.Row(SiloStatus.Dead);
        MembershipEntry active = Silos.Old(SiloStatus.Active, long_);
        MembershipEntry[] gone = [.. Enum.GetValues<SiloStatus>().Where(static s => s != SiloStatus.Active).Select(s => Silos.Old(s, long_))];
        await Silos.InsertAsync(table, [suspected, fresh, active, .. gone]);
        TableVersion before = (await table.ReadAllAsync(default)).Version;
        await table.CleanupDefunctSiloEntriesAsync(Silos.Start.AddDays(-3), default);
        MembershipTableData all = await table.ReadAllAsync(default);
        Assert.Equal(
            new[] { suspected, fresh, active }.Select(static r => r.SiloAddress).Order(), all.Members.Select(static m => m.Item1.SiloAddress).Order());
        Assert.Equal(before, all.Version);
    }

    [SkippableFact]
    public async Task A_deleted_table_is_empty_and_others_stay()
    {
        IMembershipTable table = await TableAsync();
        var other = new ObjectMembershipTable(await StoreAsync(), _clusterId + "-other", TimeProvider.System);
        await Silos.InsertAsync(table, Silos.Row());
        await Silos.InsertAsync(other, Silos.Row());
        await table.DeleteMembershipTableEntriesAsync(_clusterId, default);
        Assert.Empty((await table.ReadAllAsync(default)).Members);
        Assert.Single((await other.ReadAllAsync(default)).Members);
        await Silos.InsertAsync(table, Silos.Row());
        Assert.Single((await table.ReadAllAsync(default)).Members);
    }
}
