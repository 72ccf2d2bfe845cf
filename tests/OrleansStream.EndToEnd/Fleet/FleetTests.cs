using OrleansStream.EndToEnd.Brokers;
using OrleansStream.EndToEnd.Clients;
using OrleansStream.EndToEnd.Wire;
using Xunit.Abstractions;

namespace OrleansStream.EndToEnd.Fleet;

/// <summary>
/// Fleets of consumers, of both protocols at once, whose members come and go while a topic is written: every record is processed at least once, the coordinator never
/// gives a partition to two members at the same time, and after the last change everybody who lives has their share.
/// </summary>
public sealed class FleetTests(ITestOutputHelper output)
{
    private const int Partitions = 12;
    private const string Topic = "fleet";
    private static readonly string[] Protocols = ["classic", "consumer"];
    private static readonly TimeSpan Unrest = Repository.Full ? TimeSpan.FromMinutes(10) : TimeSpan.FromSeconds(12);

    [SkippableFact]
    public async Task Every_record_is_processed_and_no_partition_has_two_owners()
    {
        var client = KafkaClient.Named("confluent-kafka 2.16");
        client.Needed();
        var seed = Environment.TickCount;
        output.WriteLine($"seed {seed}");
        var folder = Directory.CreateTempSubdirectory("ostream-fleet-");
        var fleets = new List<ConsumerFleet>();
        try
        {
            await using var broker = await BrokerProcess.StartAsync(folder.FullName, null, ConsumerFleet.BrokerSettings);
            await using (var connection = await broker.ConnectAsync()) await connection.CreateTopicAsync(Topic, Partitions);
            fleets.AddRange(Protocols.Select(p => new ConsumerFleet(client.Command[0], broker.Bootstrap, Topic, p, seed++)));
            using var stopWriting = new CancellationTokenSource();
            using var stopWatching = new CancellationTokenSource();
            var writing = WriteAsync(broker, stopWriting.Token);
            var watching = Task.WhenAll(fleets.Select(f => WatchAsync(broker, f, stopWatching.Token)));
            try
            {
                await Task.WhenAll(fleets.Select(f => f.UnrestAsync(Unrest)));
                await stopWriting.CancelAsync();
                var ends = await writing;
                await Task.WhenAll(fleets.Select(f => EndAsync(broker, f, ends)));
            }
            finally
            {
                await stopWriting.CancelAsync();
                await stopWatching.CancelAsync();
            }
            Assert.All(await watching, looks => Assert.True(looks > 10, $"a group was looked at {looks} times only"));
            foreach (var fleet in fleets) await fleet.LeaveAsync();
        }
        finally
        {
            foreach (var fleet in fleets) await fleet.DisposeAsync();
            folder.Delete(recursive: true);
        }
    }

    private async Task EndAsync(BrokerProcess broker, ConsumerFleet fleet, long[] ends)
    {
        await using var connection = await broker.ConnectAsync();
        output.WriteLine(await fleet.SettledAsync(() => GroupDescription.OfAsync(connection, fleet.Group, fleet.Protocol), Partitions));
        await fleet.AllProcessedAsync(ends, async (partition, offset) => $"{await connection.FetchAsync(Topic, partition, offset)}");
        output.WriteLine($"{fleet.Protocol}: {ends.Sum()} records, {fleet.Processings} times processed");
        fleet.CheckRefused();
    }

    /// <summary>Writes to all partitions until it is told to stop; answers how many records each has.</summary>
    private static async Task<long[]> WriteAsync(BrokerProcess broker, CancellationToken stop)
    {
        await using var connection = await broker.ConnectAsync();
        var ends = new long[Partitions];
        do
        {
            for (var partition = 0; partition < Partitions; partition++)
            {
                var records = Enumerable.Range(0, 5).Select(i => new WireRecord(null, BitConverter.GetBytes(ends[partition] + i), DateTimeOffset.UtcNow.ToUnixTimeMilliseconds()));
                Assert.Equal(0, (await connection.ProduceAsync(Topic, partition, RecordBatch.Build([.. records]))).Error);
                ends[partition] += 5;
            }
            await Task.Delay(50, CancellationToken.None);
        }
        while (!stop.IsCancellationRequested);
        return ends;
    }

    /// <summary>Looks at the group again and again; answers how often it did.</summary>
    private static async Task<int> WatchAsync(BrokerProcess broker, ConsumerFleet fleet, CancellationToken stop)
    {
        await using var connection = await broker.ConnectAsync();
        var looks = 0;
        for (; !stop.IsCancellationRequested; looks++)
        {
            var group = await GroupDescription.OfAsync(connection, fleet.Group, fleet.Protocol);
            Assert.True(!group.OwnedTwice.Any(), $"partitions {string.Join(",", group.OwnedTwice)} have two owners: {group}");
            await Task.Delay(20, CancellationToken.None);
        }
        return looks;
    }
}
