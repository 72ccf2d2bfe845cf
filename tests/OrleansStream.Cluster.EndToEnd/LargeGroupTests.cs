using System.Diagnostics;
using System.Globalization;
using System.Text.RegularExpressions;
using OrleansStream.Cluster.EndToEnd.History;
using OrleansStream.Cluster.EndToEnd.Silos;
using OrleansStream.EndToEnd.Brokers;
using OrleansStream.EndToEnd.Wire;
using Xunit.Abstractions;

namespace OrleansStream.Cluster.EndToEnd;

/// <summary>
/// A group with 10,000 committed offsets, after a million commits (a slice: 150,000), whose coordinator moves by plan and is killed: all of them are there, and how
/// long nobody answered is printed. The commits are written as Kafka's own coordinator writes them, into its partition of __consumer_offsets: a client that is
/// called as Kafka's admin tools may do that, and so a test needs no topics of 10,000 partitions.
/// </summary>
public sealed partial class LargeGroupTests(ITestOutputHelper output) : ClusterTest(output)
{
    private const string Group = "large", OffsetsTopic = "__consumer_offsets";
    private const int Offsets = 10_000, OffsetsPartitions = 50, TopicPartitions = 100, BatchRecords = 5_000;
    private static int Commits => Repository.Full ? 1_000_000 : 150_000;
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(120);

    [SkippableFact]
    public Task A_large_group_comes_along_with_its_coordinator() => OnFolderAsync(MoveAsync);

    private async Task MoveAsync(SiloCluster cluster)
    {
        SiloProcess coordinator = await cluster.CoordinatorAsync(Group);
        await cluster.EvenAsync(OffsetsTopic);
        coordinator = await cluster.CoordinatorAsync(Group);
        Dictionary<(string, int), long> expected = await CommitAsync(coordinator);
        // It was coordinated before the commits were written: whoever takes over is the first to load them.
        List<TimeSpan> silences = [];
        foreach (bool kill in (bool[])[false, true])
        {
            coordinator = await cluster.CoordinatorAsync(Group);
            long moment = Stopwatch.GetTimestamp();
            Task stopping = Task.CompletedTask;
            if (kill) coordinator.Kill();
            else stopping = coordinator.StopAsync();
            (SiloProcess next, TimeSpan silence) = await ServedByAnotherAsync(cluster, coordinator, moment, expected);
            await stopping;
            silences.Add(silence);
            Output.WriteLine($"coordinator {(kill ? "killed" : "moved by plan")}: {Offsets} offsets after {Commits} commits served again by broker {next.NodeId}, "
                + $"nobody had answered for {silence.TotalMilliseconds:0} ms; {Loaded(next)}");
            coordinator.Launch();
            await coordinator.AnswersAsync();
            await cluster.EvenAsync(OffsetsTopic);
        }
    }

    /// <summary>Asks until another broker answers with all offsets; answers which one, and the longest time until then without an answer.</summary>
    private static async Task<(SiloProcess Next, TimeSpan Silence)> ServedByAnotherAsync(
        SiloCluster cluster, SiloProcess before, long moment, Dictionary<(string, int), long> expected)
    {
        using var patience = new CancellationTokenSource(Patience);
        (long last, TimeSpan silence) = (moment, TimeSpan.Zero);
        while (true)
        {
            try
            {
                int node = -1;
                foreach (SiloProcess any in cluster.Silos.Where(s => s != before))
                {
                    await using KafkaConnection asked = await KafkaConnection.OpenAsync(any.Port);
                    if ((node = await asked.FindCoordinatorAsync(Group)) >= 0) break;
                }
                if (cluster.Silos.FirstOrDefault(s => s.NodeId == node) is { } silo)
                {
                    await using KafkaConnection connection = await KafkaConnection.OpenAsync(silo.Port);
                    (short error, Dictionary<(string, int), long> offsets) = await connection.FetchOffsetsAsync(Group);
                    if (error == 0)
                    {
                        long now = Stopwatch.GetTimestamp();
                        TimeSpan since = Stopwatch.GetElapsedTime(last, now);
                        (last, silence) = (now, since > silence ? since : silence);
                        // The first coordinator has loaded before the commits were written behind its back.
                        if (silo != before)
                        {
                            Assert.Equal(expected.Count, offsets.Count);
                            Assert.All(expected, e => Assert.Equal(e.Value, offsets[e.Key]));
                            return (silo, silence);
                        }
                    }
                }
            }
            catch (Exception e) when (e is System.Net.Sockets.SocketException or IOException or TimeoutException)
            {
                // It has ended.
            }
            await Task.Delay(5, patience.Token);
        }
    }

    /// <summary>Writes the commits, round by round over all offsets; answers the last of each.</summary>
    private static async Task<Dictionary<(string, int), long>> CommitAsync(SiloProcess coordinator)
    {
        await using KafkaConnection connection = await KafkaConnection.OpenAsync(coordinator.Port);
        connection.ClientId = "__admin_client";
        // Java's String.hashCode, as Kafka places groups.
        int partition = (Group.Aggregate(0, static (hash, unit) => unchecked((31 * hash) + unit)) & int.MaxValue) % OffsetsPartitions;
        // Makes the coordinator load, so that it takes snapshots as the log grows.
        Assert.Equal(0, (await connection.FetchOffsetsAsync(Group)).Error);
        var committed = new Dictionary<(string, int), long>();
        for (int written = 0; written < Commits; written += BatchRecords)
        {
            var batch = new List<WireRecord>(BatchRecords);
            for (int i = written; i < written + BatchRecords; i++)
            {
                (string topic, int index) = ($"topic-{i % Offsets / TopicPartitions}", i % TopicPartitions);
                committed[(topic, index)] = i;
                // OffsetCommitKey 1; OffsetCommitValue 3.
                batch.Add(new WireRecord(
                    new WireWriter().Int16(1).Text(Group).Text(topic).Int32(index).Bytes,
                    new WireWriter().Int16(3).Int64(i).Int32(-1).Text("").Int64(1_700_000_000_000).Bytes, DateTimeOffset.UtcNow.ToUnixTimeMilliseconds()));
            }
            KafkaRequests.ProduceAnswer answer = await connection.ProduceAsync(OffsetsTopic, partition, RecordBatch.Build(batch));
            Assert.True(answer.Error == 0, $"the commits are not taken: {answer.Error} {answer.Message}");
        }
        return committed;
    }

    private static string Loaded(SiloProcess silo) => LoadedLine().Matches(silo.PrintedNow())
        .OrderBy(static m => int.Parse(m.Groups[1].Value, CultureInfo.InvariantCulture) + int.Parse(m.Groups[2].Value, CultureInfo.InvariantCulture))
        .LastOrDefault()?.Value ?? "how it was loaded is not in what it printed last";

    [GeneratedRegex(@"are loaded in \d+ ms: (\d+) records of the snapshot, (\d+) of the log")]
    private static partial Regex LoadedLine();
}
