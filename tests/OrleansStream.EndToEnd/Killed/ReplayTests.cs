using System.Buffers.Binary;
using System.Diagnostics;
using OrleansStream.EndToEnd.Brokers;
using OrleansStream.EndToEnd.Wire;
using OrleansStream.Platform.Stores;
using Xunit.Abstractions;

namespace OrleansStream.EndToEnd.Killed;

/// <summary>SIGKILL with a gigabyte in the journal and nothing of it sealed: everything is there again, and how long that takes is printed.</summary>
public sealed class ReplayTests(ITestOutputHelper output)
{
    private const string Topic = "replayed";
    private const string Container = "replay";
    private const int RecordBytes = 1 << 20;
    private const short NotLeaderOrFollower = 6;

    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(3);

    // Each partition stays below the size from which on it is sealed.
    private const int Partitions = 64;

    private static int Records => Repository.Full ? 1024 : 128;

    [SkippableFact]
    public async Task Restart_with_a_gigabyte_to_replay_on_disk() => await RestartAsync(null);

    [SkippableFact]
    public async Task Restart_with_a_gigabyte_to_replay_on_blobs()
    {
        Skip.If(BrokerProcess.IsKafka, "Apache Kafka has no blob store");
        await using var azurite = await Azurite.StartAsync();
        await RestartAsync(azurite.ConnectionString);
    }

    private async Task RestartAsync(string? storage)
    {
        var folder = Directory.CreateTempSubdirectory("ostream-replay-");
        try
        {
            var settings = new Dictionary<string, string> { ["message.max.bytes"] = "20000000" };
            if (!BrokerProcess.IsKafka)
            {
                // Nothing is to be sealed before the kill, neither for lack of memory nor because the journal is full.
                settings["memory.budget.bytes"] = settings["journal.max.bytes"] = "4294967296";
                settings["storage.container"] = Container;
            }
            await using var broker = await BrokerProcess.StartAsync(folder.FullName, storage, settings);
            await using var connection = await broker.ConnectAsync();
            await connection.CreateTopicAsync(Topic, Partitions);
            var value = new byte[RecordBytes];
            Random.Shared.NextBytes(value);
            for (var i = 0; i < Records; i++)
            {
                BinaryPrimitives.WriteInt32BigEndian(value, i);
                var batch = RecordBatch.Build([new WireRecord(null, value.ToArray(), 0)]);
                Assert.Equal(0, (await connection.ProduceAsync(Topic, i % Partitions, batch)).Error);
            }
            await broker.KillAsync();

            var reading = storage is null ? null : await ReadJournalAsync(storage);
            var clock = Stopwatch.StartNew();
            await broker.StartAgainAsync();
            await using var again = await broker.ConnectAsync();
            for (var partition = 0; partition < Partitions; partition++)
            {
                // A request waits for its partition's recovery, but only so long; clients ask again, and so does this one.
                var end = await again.ListOffsetAsync(Topic, partition, -1);
                while (end.Error == NotLeaderOrFollower && clock.Elapsed < Patience)
                    end = await again.ListOffsetAsync(Topic, partition, -1);
                Assert.Equal(((short)0, (long)(Records / Partitions)), (end.Error, end.Offset));
            }
            output.WriteLine($"{Records} MiB unsealed: first answer after {broker.StartTime.TotalMilliseconds:0} ms, every partition after {clock.ElapsedMilliseconds} ms"
                + (reading is { } r ? $"; reading the {r.Bytes >> 20} MiB of the journal one object after another took {r.Elapsed.TotalMilliseconds:0} ms" : ""));
        }
        finally { folder.Delete(recursive: true); }
    }

    private static async Task<(long Bytes, TimeSpan Elapsed)?> ReadJournalAsync(string storage)
    {
        var store = await AzureObjectStore.OpenAsync(storage, Container, null, CancellationToken.None);
        var clock = Stopwatch.StartNew();
        var bytes = 0L;
        await foreach (var info in store.ListAsync("journal/", CancellationToken.None))
            bytes += (await store.ReadAsync(info.Name, CancellationToken.None))!.Content.Length;
        Assert.True(bytes > (long)Records * RecordBytes, $"the journal holds only {bytes} bytes: something was sealed before the kill, so this would test nothing");
        return (bytes, clock.Elapsed);
    }
}
