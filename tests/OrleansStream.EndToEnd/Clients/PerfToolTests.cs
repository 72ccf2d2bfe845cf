using System.Diagnostics;
using System.Globalization;
using OrleansStream.EndToEnd.Brokers;
using OrleansStream.EndToEnd.Wire;

namespace OrleansStream.EndToEnd.Clients;

public sealed class PerfToolsOnDisk(DiskBroker fixture) : PerfToolTests(fixture), IClassFixture<DiskBroker>
{
    public static TheoryData<string, string, int> Runs => AllRuns;

    [SkippableTheory, MemberData(nameof(Runs))]
    public Task The_producer_perf_test_finds_all_its_records_written(string codec, string acks, int size) => ProduceAsync(codec, acks, size);
}

public sealed class PerfToolsOnBlobs(BlobBroker fixture) : PerfToolTests(fixture), IClassFixture<BlobBroker>
{
    public static TheoryData<string, string, int> Runs => Repository.Full ? AllRuns : new() { { "lz4", "all", 1000 } };

    [SkippableTheory, MemberData(nameof(Runs))]
    public Task The_producer_perf_test_finds_all_its_records_written(string codec, string acks, int size) => ProduceAsync(codec, acks, size);
}

/// <summary>
/// Kafka's own kafka-producer-perf-test: what it says it sent is in the log, byte for byte as many. (kafka-consumer-perf-test knows groups only.)
/// </summary>
public abstract class PerfToolTests(BrokerFixture fixture)
{
    private const int Partitions = 3;
    private static int s_topics;

    private protected static TheoryData<string, string, int> AllRuns => new() { { "none", "all", 1000 }, { "lz4", "all", 1000 }, { "zstd", "1", 100 } };

    private protected async Task ProduceAsync(string codec, string acks, int size)
    {
        Missing.Peers();
        var count = Repository.Full ? 1_000_000 : 50_000;
        var topic = $"perf-{Interlocked.Increment(ref s_topics)}";
        await using var connection = await fixture.Broker.ConnectAsync();
        await connection.CreateTopicAsync(topic, Partitions);

        var output = await RunAsync("producer-perf-test", "--topic", topic, "--num-records", Text(count), "--record-size", Text(size), "--throughput", "-1",
            "--producer-props", $"bootstrap.servers={fixture.Broker.Bootstrap}", $"acks={acks}", $"compression.type={codec}", "linger.ms=5", "batch.size=65536");
        var last = output.Trim().Split('\n')[^1];
        Assert.StartsWith($"{Text(count)} records sent", last, StringComparison.Ordinal);

        var records = 0L;
        var bytes = 0L;
        for (var partition = 0; partition < Partitions; partition++)
        {
            var (error, _, end) = await connection.ListOffsetAsync(topic, partition, -1);
            Assert.Equal(0, error);
            records += end;
            if (codec == "none") bytes += (await connection.ReadAllAsync(topic, partition)).Sum(r => (long)r.Value!.Value.Length);
        }
        Assert.Equal(count, records);
        if (codec == "none") Assert.Equal((long)count * size, bytes);
    }

    private static async Task<string> RunAsync(params string[] arguments)
    {
        using var process = Process.Start(new ProcessStartInfo(Path.Combine(Repository.Peers!, "kafka", "kafka"), arguments)
            { RedirectStandardOutput = true, RedirectStandardError = true })!;
        var complaints = process.StandardError.ReadToEndAsync();
        var output = await process.StandardOutput.ReadToEndAsync();
        await process.WaitForExitAsync();
        Assert.True(process.ExitCode == 0, $"{arguments[0]} ended with {process.ExitCode}: {output}{await complaints}");
        return output;
    }

    private static string Text(int number) => number.ToString(CultureInfo.InvariantCulture);
}
