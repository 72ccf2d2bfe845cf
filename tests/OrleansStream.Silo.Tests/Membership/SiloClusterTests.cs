using System.Net;
using System.Net.Sockets;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging.Abstractions;
using Orleans;
using Orleans.Hosting;
using Orleans.Runtime;
using OrleansStream.Hosting;
using OrleansStream.Silo.Configuration;
using OrleansStream.Silo.Hosting;
using OrleansStream.Silo.Membership;
using OrleansStream.TestSupport;

namespace OrleansStream.Silo.Tests.Membership;

/// <summary>Orleans' own silos over the table, with the settings that ours have.</summary>
public sealed class SiloClusterTests : IAsyncLifetime
{
    private const string ClusterId = "silos";

    private readonly MemoryObjectStore _store = new();
    private readonly List<Member> _members = [];

    private ObjectMembershipTable Table => new(_store, ClusterId, TimeProvider.System);

    public Task InitializeAsync() => Task.CompletedTask;

    public async Task DisposeAsync()
    {
        foreach (Member member in _members)
            await member.DisposeAsync();
    }

    [Fact]
    public async Task Silos_find_each_other_and_one_that_stops_is_dead_for_the_others()
    {
        for (int i = 0; i < 3; i++)
            await JoinAsync();
        MembershipTableData all = await Table.ReadAllAsync(default);
        Assert.Equal(3, all.Members.Count);
        Assert.All(all.Members, static m => Assert.Equal(SiloStatus.Active, m.Item1.Status));

        await _members[2].Host.StopAsync();
        Assert.Equal(SiloStatus.Dead, (await Table.ReadRowAsync(_members[2].Address, default)).Members[0].Item1.Status);
        await _members[0].SeesAsync(_members[2].Address, SiloStatus.Dead);
        await _members[1].SeesAsync(_members[2].Address, SiloStatus.Dead);
        Assert.DoesNotContain(_members, static m => m.Failure.IsCompleted);
    }

    [Fact]
    public async Task A_silo_that_was_declared_dead_says_so_and_ends()
    {
        await JoinAsync();
        await JoinAsync();
        MembershipTableData all = await Table.ReadAllAsync(default);
        (MembershipEntry row, string etag) = all.TryGet(_members[1].Address)!;
        row.Status = SiloStatus.Dead;
        Assert.True(await Table.UpdateRowAsync(row, etag, all.Version.Next(), default));
        Assert.Contains("declared this one dead", await _members[1].Failure, StringComparison.Ordinal);
        await _members[0].SeesAsync(_members[1].Address, SiloStatus.Dead);
        Assert.False(_members[0].Failure.IsCompleted);
    }

    private async Task JoinAsync()
    {
        var member = new Member(_store);
        _members.Add(member);
        await member.Host.StartAsync();
    }

    private sealed class Member : IAsyncDisposable
    {
        private readonly TaskCompletionSource<string> _failure = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public Member(MemoryObjectStore store)
        {
            var settings = new SiloSettings(Clustering.Store, ClusterId, "service", IPAddress.Loopback, FreePort(), 0);
            var builder = new HostApplicationBuilder(new HostApplicationBuilderSettings { DisableDefaults = true });
            builder.Services.AddSingleton<IHostLifetime, NoLifetime>();
            builder.UseOrleans(silo =>
            {
                BrokerSilo.UseCluster(silo, settings, store);
                silo.Services.AddSingleton<IFatalErrorHandler>(new FatalErrors(reason => _failure.TrySetResult(reason), () => { }, NullLogger<FatalErrors>.Instance));
            });
            Host = builder.Build();
        }

        public IHost Host { get; }

        /// <summary>Completes with the sentence with which the process would end.</summary>
        public Task<string> Failure => _failure.Task;

        public SiloAddress Address => Host.Services.GetRequiredService<ILocalSiloDetails>().SiloAddress;

        /// <summary>Waits until this silo takes the other for what is said.</summary>
        public async Task SeesAsync(SiloAddress other, SiloStatus status)
        {
            var membership = Host.Services.GetRequiredService<IClusterMembershipService>();
            if (membership.CurrentSnapshot.GetSiloStatus(other) == status)
                return;
            await foreach (ClusterMembershipSnapshot snapshot in membership.MembershipUpdates)
            {
                if (snapshot.GetSiloStatus(other) == status)
                    return;
            }
        }

        public async ValueTask DisposeAsync()
        {
            using var atOnce = new CancellationTokenSource(0);
            await Host.StopAsync(atOnce.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            Host.Dispose();
        }

        private static int FreePort()
        {
            using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
            socket.Bind(new IPEndPoint(IPAddress.Loopback, 0));
            return ((IPEndPoint)socket.LocalEndPoint!).Port;
        }
    }
}
