using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;
using Orleans;
using Orleans.Configuration;
using Orleans.Runtime;
using OrleansStream.Silo.Membership;
using OrleansStream.TestSupport;

namespace OrleansStream.Silo.Tests.Membership;

/// <summary>A joining silo makes a new version of the table when a row falls silent, once, and changes nothing else.</summary>
public sealed class SilentSilosTests
{
    private static readonly TimeSpan Allowed = TimeSpan.FromSeconds(12);

    private readonly ObjectMembershipTable _table = new(new MemoryObjectStore(), "test", TimeProvider.System);

    [Fact]
    public async Task A_row_that_fell_silent_makes_one_new_version()
    {
        MembershipEntry own = Silos.Row();
        MembershipEntry killed = Silos.Old(SiloStatus.Active, Allowed + TimeSpan.FromSeconds(1));
        MembershipEntry alive = Silos.Old(SiloStatus.Active, Allowed - TimeSpan.FromSeconds(1));
        await Silos.InsertAsync(_table, killed, alive, own);
        int version = (await _table.ReadAllAsync(default)).Version.Version;
        SilentSilos silos = At(own.SiloAddress);

        Assert.Equal(1, await silos.LookAsync(default));
        MembershipTableData after = await _table.ReadAllAsync(default);
        Assert.Equal(version + 1, after.Version.Version);
        Assert.Equal(SiloStatus.Joining, after.TryGet(own.SiloAddress)!.Item1.Status);
        Assert.Equal(SiloStatus.Active, after.TryGet(killed.SiloAddress)!.Item1.Status);

        Assert.Equal(0, await silos.LookAsync(default));
        Assert.Equal(version + 1, (await _table.ReadAllAsync(default)).Version.Version);
    }

    [Theory]
    [InlineData(SiloStatus.Active)]
    [InlineData(SiloStatus.Dead)]
    public async Task A_silo_that_does_not_join_leaves_the_table_alone(SiloStatus status)
    {
        MembershipEntry own = Silos.Row(status);
        await Silos.InsertAsync(_table, Silos.Old(SiloStatus.Active, Allowed * 2), own);
        int version = (await _table.ReadAllAsync(default)).Version.Version;
        Assert.Equal(0, await At(own.SiloAddress).LookAsync(default));
        Assert.Equal(version, (await _table.ReadAllAsync(default)).Version.Version);
    }

    private SilentSilos At(SiloAddress self) => new(
        _table, new Details(self),
        Options.Create(new ClusterMembershipOptions { IAmAliveTablePublishTimeout = Allowed / 3, NumMissedTableIAmAliveLimit = 3 }),
        new FixedTime(Silos.Start), NullLogger<SilentSilos>.Instance);

    private sealed class FixedTime(DateTime now) : TimeProvider
    {
        public override DateTimeOffset GetUtcNow() => now;
    }

    private sealed class Details(SiloAddress address) : ILocalSiloDetails
    {
        public string Name => "a-silo";
        public string ClusterId => "test";
        public string DnsHostName => "a-host";
        public SiloAddress SiloAddress => address;
        public SiloAddress GatewayAddress => address;
    }
}
