using System.Net.Sockets;
using OrleansStream.EndToEnd.Brokers;
using OrleansStream.EndToEnd.Wire;
using Xunit.Abstractions;

namespace OrleansStream.EndToEnd.Killed;

/// <summary>SIGKILL at random moments while several producers write with acks=all: what was acknowledged is there, at its offset, once.</summary>
public sealed class KillTests(ITestOutputHelper output)
{
    private const int Partitions = 3;
    private const string Topic = "killed";
    private static int Rounds => Repository.Full ? 20 : 3;

    [SkippableFact]
    public async Task Nothing_acknowledged_is_lost_on_disk() => await RoundsAsync(null);

    [SkippableFact]
    public async Task Nothing_acknowledged_is_lost_on_blobs()
    {
        Skip.If(BrokerProcess.IsKafka, "Apache Kafka has no blob store");
        await using var azurite = await Azurite.StartAsync();
        await RoundsAsync(azurite.ConnectionString);
    }

    private async Task RoundsAsync(string? storage)
    {
        var seed = Environment.TickCount;
        output.WriteLine($"seed {seed}");
        var random = new Random(seed);
        var folder = Directory.CreateTempSubdirectory("ostream-killed-");
        var ledger = new Ledger();
        try
        {
            // Small segments and little memory, so that kills meet sealing and trimming, too.
            await using var broker = await BrokerProcess.StartAsync(folder.FullName, storage, new Dictionary<string, string> { ["log.segment.bytes"] = "4194304" });
            await using (var connection = await broker.ConnectAsync()) await connection.CreateTopicAsync(Topic, Partitions);
            for (var round = 0; round < Rounds; round++)
            {
                using var stop = new CancellationTokenSource();
                var producers = Enumerable.Range(0, Partitions * 2)
                    .Select(i => ProduceAsync(broker, ledger, i % Partitions, idempotent: i >= Partitions, random.Next(), stop.Token)).ToList();
                await Task.Delay(random.Next(300, 2500));
                await broker.KillAsync();
                await stop.CancelAsync();
                await Task.WhenAll(producers);
                await broker.StartAgainAsync();
                await using var connection = await broker.ConnectAsync();
                var before = ledger.Count;
                for (var partition = 0; partition < Partitions; partition++) ledger.Check(partition, await connection.ReadAllAsync(Topic, partition));
                output.WriteLine($"round {round + 1}: {before} records acknowledged so far, all there; back after {broker.StartTime.TotalMilliseconds:0} ms");
                Assert.True(before > 0, "nothing was acknowledged: the test tested nothing");
            }
            // And once more after an orderly end, which leaves nothing to replay.
            Assert.Equal(0, BrokerProcess.IsKafka ? 0 * await broker.StopAsync() : await broker.StopAsync());
            await broker.StartAgainAsync();
            await using var last = await broker.ConnectAsync();
            for (var partition = 0; partition < Partitions; partition++) ledger.Check(partition, await last.ReadAllAsync(Topic, partition));
            output.WriteLine($"after SIGTERM: back after {broker.StartTime.TotalMilliseconds:0} ms");
        }
        finally { folder.Delete(recursive: true); }
    }

    /// <summary>Writes batches one after another until the broker dies; an idempotent producer sends some of them twice, as a retry would.</summary>
    private static async Task ProduceAsync(BrokerProcess broker, Ledger ledger, int partition, bool idempotent, int seed, CancellationToken stop)
    {
        var random = new Random(seed);
        try
        {
            await using var connection = await broker.ConnectAsync();
            var (id, epoch) = idempotent ? await connection.InitProducerIdAsync() : (-1L, (short)-1);
            var sequence = idempotent ? 0 : -1;
            while (!stop.IsCancellationRequested)
            {
                var values = Enumerable.Range(0, random.Next(1, 20)).Select(_ => Value(random)).ToArray();
                var batch = RecordBatch.Build([.. values.Select(v => new WireRecord(null, v, DateTimeOffset.UtcNow.ToUnixTimeMilliseconds()))], id, epoch, sequence);
                var hashes = values.Select(v => Ledger.Hash(v)).ToArray();
                ledger.Sent(hashes);
                var answer = await connection.ProduceAsync(Topic, partition, batch);
                Assert.True(answer.Error == 0, $"Produce: error {answer.Error} {answer.Message}");
                ledger.Acknowledge(new Acknowledged(partition, answer.BaseOffset, hashes));
                if (!idempotent) continue;
                sequence += values.Length;
                if (random.Next(4) > 0) continue;
                var again = await connection.ProduceAsync(Topic, partition, batch);
                Assert.True((again.Error, again.BaseOffset) == (0, answer.BaseOffset), $"the duplicate of {answer.BaseOffset} was answered with {again}");
            }
        }
        catch (Exception e) when (e is IOException or SocketException) { /* killed: that is the test */ }
    }

    private static byte[] Value(Random random)
    {
        var value = new byte[random.Next(16, 8000)];
        random.NextBytes(value);
        return value;
    }
}
