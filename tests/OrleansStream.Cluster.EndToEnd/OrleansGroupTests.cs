using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using OrleansStream.Client;
using OrleansStream.Client.Groups;
using OrleansStream.Cluster.EndToEnd.Silos;
using OrleansStream.EndToEnd.Brokers;
using OrleansStream.EndToEnd.Clients;
using OrleansStream.EndToEnd.Fleet;
using OrleansStream.Grains;
using Xunit.Abstractions;
using ErrorCode = OrleansStream.Protocol.ErrorCode;

namespace OrleansStream.Cluster.EndToEnd;

/// <summary>Groups of Kafka consumers, looked after by a .NET service that has an Orleans client alone.</summary>
public sealed class OrleansGroupTests(ITestOutputHelper output) : ClusterTest(output)
{
    private const string Topic = "watched";
    private const int Partitions = 6;
    private const int Before = 60, Meanwhile = 12;

    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(2);

    [SkippableTheory]
    [InlineData("classic")]
    [InlineData("consumer")]
    public async Task A_service_describes_resets_and_deletes_groups_of_Kafka_consumers(string protocol)
    {
        Skip.IfNot(Repository.Full || protocol == "classic", "with --full only; the fleets have members of either protocol");
        KafkaClient kafka = KafkaClient.Named("confluent-kafka 2.16");
        kafka.Needed();
        await OnFolderAsync(cluster => LookAfterAsync(cluster, kafka.Command[0], protocol), "group.initial.rebalance.delay.ms=0", "group.min.session.timeout.ms=3000");
    }

    private async Task LookAfterAsync(SiloCluster cluster, string python, string protocol)
    {
        using var patience = new CancellationTokenSource(Patience);
        using IHost host = await OrleansClients.ConnectAsync(cluster, patience.Token);
        var client = host.Services.GetRequiredService<OrleansStreamClient>();
        string id = $"{protocol}-watchers";
        Assert.Null(await client.Groups.FindAsync(id, patience.Token));
        Assert.Empty(await client.Groups.ListAsync(patience.Token));
        await client.Topics.CreateAsync(Topic, Partitions, cancel: patience.Token);
        await cluster.EvenAsync(Topic);
        await AppendAsync(client, Before, patience.Token);

        int processed = 0;
        Member Join() => new(python, string.Join(',', cluster.Silos.Select(static s => $"127.0.0.1:{s.Port}")), Topic, id, protocol, (_, _) => Interlocked.Increment(ref processed));
        await using Member one = Join();
        await using Member two = Join();
        GroupInfo group = await UntilAsync(() => client.Groups.FindAsync(id, patience.Token), static g => g is { State: "Stable", Members.Length: 2 } && AssignedIn(g).Length == Partitions, patience.Token);
        Assert.Equal((id, protocol, "consumer"), (group.GroupId, group.Type, group.ProtocolType));
        Assert.Equal(Enumerable.Range(0, Partitions), AssignedIn(group).Order());
        Assert.All(group.Members, static m => Assert.Equal((Partitions / 2, "/127.0.0.1"), (m.Assigned.Sum(static a => a.Partitions.Length), m.ClientHost)));
        IReadOnlyList<PartitionLag> lag = await UntilLagAsync(client.Groups, id, 0, patience.Token);
        Assert.All(lag, p => Assert.Contains(group.Members, m => m.MemberId == p.MemberId && m.Assigned.Single().Partitions.Contains(p.Partition)));
        Assert.Equal(Before, lag.Sum(static p => p.End));

        // While they sleep, nobody reads.
        one.Pause();
        two.Pause();
        await AppendAsync(client, Meanwhile, patience.Token);
        await UntilLagAsync(client.Groups, id, Meanwhile, patience.Token);
        one.Resume();
        two.Resume();
        await UntilLagAsync(client.Groups, id, 0, patience.Token);
        await RefusedAsync(ErrorCode.UnknownMemberId, client.Groups.ResetAsync(id, new OffsetReset(ResetTarget.Earliest), patience.Token));
        await RefusedAsync(ErrorCode.NonEmptyGroup, client.Groups.DeleteAsync(id, patience.Token));
        Assert.Equal(0, (await client.Groups.LagAsync(id, patience.Token)).Sum(static p => p.Lag));
        await one.LeaveAsync();
        await two.LeaveAsync();
        await UntilAsync(() => client.Groups.FindAsync(id, patience.Token), static g => g is { State: "Empty", Members: [] }, patience.Token);

        const int all = Before + Meanwhile;
        Assert.Equal(0, await ResetAsync(ResetTarget.Latest));
        Assert.Equal(Partitions, await ResetAsync(ResetTarget.Shift, -1));
        Assert.Equal(all - Partitions, await ResetAsync(ResetTarget.Offset, 1));
        Assert.Equal(all, await ResetAsync(ResetTarget.Timestamp, 0));
        Assert.Equal(all, (await client.Groups.LagAsync(id, patience.Token)).Sum(static p => p.Lag));
        await client.Groups.ResetAsync(id, new OffsetReset(ResetTarget.Latest, Topics: [new TopicPartitions(Topic, [0])]), patience.Token);
        Assert.Equal(0, (await client.Groups.LagAsync(id, patience.Token)).Single(static p => p.Partition == 0).Lag);
        // A group that is not there yet is told where its first member is to begin.
        await client.Groups.ResetAsync("to-come", new OffsetReset(ResetTarget.Earliest, Topics: [new TopicPartitions(Topic, [])]), patience.Token);
        Assert.Equal(["to-come", id], (await client.Groups.ListAsync(patience.Token)).Select(static g => g.GroupId).OrderDescending(StringComparer.Ordinal));

        SiloProcess coordinator = await cluster.CoordinatorAsync(id);
        IReadOnlyList<PartitionLag> known = await client.Groups.LagAsync(id, patience.Token);
        coordinator.Kill();
        Assert.Equal(known, await client.Groups.LagAsync(id, patience.Token));
        Assert.Equal("Empty", (await client.Groups.FindAsync(id, patience.Token))?.State);
        coordinator.Launch();
        await coordinator.AnswersAsync();
        await cluster.EvenAsync(Topic);

        // What was reset is what a member begins with.
        int expected = (int)known.Sum(static p => p.Lag);
        Volatile.Write(ref processed, 0);
        await using (Member three = Join())
        {
            await UntilLagAsync(client.Groups, id, 0, patience.Token);
            await three.LeaveAsync();
        }
        Assert.Equal(expected, processed);

        await UntilAsync(() => client.Groups.FindAsync(id, patience.Token), static g => g is { Members: [] }, patience.Token);
        await client.Groups.DeleteAsync(id, patience.Token);
        Assert.Null(await client.Groups.FindAsync(id, patience.Token));
        await RefusedAsync(ErrorCode.GroupIdNotFound, client.Groups.LagAsync(id, patience.Token));
        Assert.Equal("to-come", Assert.Single(await client.Groups.ListAsync(patience.Token)).GroupId);

        async Task<long> ResetAsync(ResetTarget target, long value = 0)
        {
            await client.Groups.ResetAsync(id, new OffsetReset(target, value), patience.Token);
            return (await client.Groups.LagAsync(id, patience.Token)).Sum(static p => p.Lag);
        }
    }

    private static Task AppendAsync(OrleansStreamClient client, int count, CancellationToken cancel) => client.Producer(Topic).AppendAsync(
        Enumerable.Range(0, count).Select(static i => new NewRecord(null, $"{i}") { Partition = i % Partitions }), cancel);

    private static int[] AssignedIn(GroupInfo group) => [.. group.Members.SelectMany(static m => m.Assigned.SelectMany(static a => a.Partitions))];

    /// <summary>Waits until every partition's lag is known, and they come to so much together.</summary>
    private static Task<IReadOnlyList<PartitionLag>> UntilLagAsync(StreamGroups groups, string id, long sum, CancellationToken cancel) => UntilAsync(
        async () => await groups.LagAsync(id, cancel), lag => lag?.Count == Partitions && lag.All(static p => p.Lag >= 0) && lag.Sum(static p => p.Lag) == sum, cancel);

    private static async Task<T> UntilAsync<T>(Func<Task<T?>> ask, Func<T?, bool> holds, CancellationToken cancel) where T : class
    {
        T? last = null;
        try
        {
            while (true)
            {
                last = await ask();
                if (holds(last)) return last!;
                await Task.Delay(50, cancel);
            }
        }
        catch (OperationCanceledException)
        {
            throw new TimeoutException($"waited in vain; at last it was {System.Text.Json.JsonSerializer.Serialize(last)}");
        }
    }

    private static async Task RefusedAsync(ErrorCode code, Task call) => Assert.Equal(code, (await Assert.ThrowsAsync<OrleansStreamException>(() => call)).ErrorCode);
}
