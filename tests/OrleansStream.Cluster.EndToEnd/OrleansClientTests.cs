using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using OrleansStream.Client;
using OrleansStream.Cluster.EndToEnd.Silos;
using OrleansStream.EndToEnd.Wire;
using Xunit.Abstractions;

namespace OrleansStream.Cluster.EndToEnd;

/// <summary>A .NET service that knows the cluster by an Orleans client alone, as samples/OrdersService does.</summary>
public sealed class OrleansClientTests(ITestOutputHelper output) : ClusterTest(output)
{
    private const string Topic = "orders";
    private const int Partitions = 6;
    private const int Customers = 40;
    private const int Batches = 60;
    private const int BatchRecords = 50;
    private const string Last = "the last one";

    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(2);

    [SkippableFact]
    public Task What_a_service_appended_is_read_by_it_and_by_Kafkas_clients_though_a_silo_was_killed() => OnFolderAsync(async cluster =>
    {
        using var patience = new CancellationTokenSource(Patience);
        using IHost host = await OrleansClients.ConnectAsync(cluster, patience.Token);
        var client = host.Services.GetRequiredService<OrleansStreamClient>();
        Assert.Null(await client.Topics.FindAsync(Topic, patience.Token));
        Assert.Equal(Partitions, (await client.Topics.CreateAsync(Topic, Partitions, cancel: patience.Token)).Partitions);
        await cluster.EvenAsync(Topic);
        Assert.Equal(cluster.Silos.Select(static s => s.NodeId), (await client.Topics.DescribeAsync(Topic, patience.Token))!.Partitions.Select(static p => p.Leader).Distinct().Order());

        var appended = new Dictionary<RecordPosition, string>();
        Task<List<StreamRecord>> following = FollowAsync(client, patience.Token);
        for (int batch = 0; batch < Batches; batch++)
        {
            if (batch == Batches / 3)
                cluster.Silos[^1].Kill();
            List<NewRecord> records = [.. Enumerable.Range(batch * BatchRecords, BatchRecords).Select(static i => new NewRecord($"customer-{i % Customers}", $"order-{i}"))];
            IReadOnlyList<RecordPosition> positions = await client.Producer(Topic).AppendAsync(records, patience.Token);
            for (int i = 0; i < records.Count; i++)
                Assert.True(appended.TryAdd(positions[i], $"order-{batch * BatchRecords + i}"), $"{positions[i]} was given twice");
        }

        await client.Producer(Topic).AppendAsync(Enumerable.Range(0, Partitions).Select(static p => new NewRecord(null, Last) { Partition = p }), patience.Token);

        List<StreamRecord> followed = await following;
        for (int partition = 0; partition < Partitions; partition++)
        {
            var read = new List<StreamRecord>();
            await foreach (StreamRecord record in client.Reader(Topic).ReadToEndAsync(partition, ReadFrom.Start, patience.Token))
                read.Add(record);
            Assert.Equal(Enumerable.Range(0, read.Count).Select(static i => (long)i), read.Select(static r => r.Offset));
            Assert.All(appended.Where(a => a.Key.Partition == partition), a => Assert.Equal(a.Value, read[(int)a.Key.Offset].ValueText));
            Assert.All(followed.Where(f => f.Partition == partition), f => Assert.Equal(read[(int)f.Offset].ValueText, f.ValueText));
            await using KafkaConnection leader = await cluster.ConnectToLeaderAsync(Topic, partition);
            Assert.Equal(read.Count, (await leader.ListOffsetAsync(Topic, partition, -1)).Offset);
        }
        // A key's records lie in one partition.
        Assert.Equal(Customers, followed.Where(static r => r.ValueText != Last).Select(static r => (r.KeyText, r.Partition)).Distinct().Count());
        Output.WriteLine($"{appended.Count} records appended, {followed.Count} followed");
    });

    /// <summary>Reads all partitions from the start until each one's last record has come.</summary>
    private static async Task<List<StreamRecord>> FollowAsync(OrleansStreamClient client, CancellationToken cancel)
    {
        var followed = new List<StreamRecord>();
        var next = new long[Partitions];
        var ended = new HashSet<int>();
        await foreach (StreamRecord record in client.Reader(Topic).ReadAllAsync(ReadFrom.Start, cancel))
        {
            Assert.Equal(next[record.Partition]++, record.Offset);
            followed.Add(record);
            if (record.ValueText == Last && ended.Add(record.Partition) && ended.Count == Partitions)
                break;
        }
        return followed;
    }
}
