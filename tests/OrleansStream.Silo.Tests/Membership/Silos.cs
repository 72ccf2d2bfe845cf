using System.Net;
using Orleans;
using Orleans.Runtime;

namespace OrleansStream.Silo.Tests.Membership;

/// <summary>Rows of membership tables, for tests.</summary>
internal static class Silos
{
    public static readonly DateTime Start = new(2026, 1, 2, 3, 4, 5, 678, DateTimeKind.Utc);

    private static int _generation;

    public static SiloAddress Address() => SiloAddress.New(new IPEndPoint(IPAddress.Loopback, 12345), Interlocked.Increment(ref _generation));

    public static MembershipEntry Row(SiloStatus status = SiloStatus.Joining) => new()
    {
        SiloAddress = Address(),
        Status = status,
        HostName = "a-host",
        SiloName = "a-silo",
        RoleName = "a-role",
        ProxyPort = 30000,
        UpdateZone = 3,
        FaultZone = 4,
        StartTime = Start,
        IAmAliveTime = Start,
        SuspectTimes = [],
    };

    /// <summary>A row as it was heard of last so long ago.</summary>
    public static MembershipEntry Old(SiloStatus status, TimeSpan ago)
    {
        MembershipEntry row = Row(status);
        (row.StartTime, row.IAmAliveTime) = (Start - ago, Start - ago);
        return row;
    }

    /// <summary>Inserts rows one behind the other, each under the table's newest version.</summary>
    public static async Task InsertAsync(IMembershipTable table, params MembershipEntry[] rows)
    {
        foreach (MembershipEntry row in rows)
            Assert.True(await table.InsertRowAsync(row, (await table.ReadAllAsync(default)).Version.Next(), default));
    }
}
