using OrleansStream.EndToEnd.Brokers;
using OrleansStream.EndToEnd.Wire;

namespace OrleansStream.EndToEnd.Outages;

/// <summary>The store goes away and comes back: produce fails with an error that a client retries, reads go on, service resumes by itself.</summary>
[Collection("outages")]
public sealed class OutageTests
{
    private const string Topic = "outage";
    private const int Megabyte = 1_000_000;

    // What a producer retries: NOT_LEADER_OR_FOLLOWER, REQUEST_TIMED_OUT, NOT_ENOUGH_REPLICAS (after append), KAFKA_STORAGE_ERROR.
    private static readonly short[] s_retriable = [6, 7, 19, 20, 56];

    [SkippableFact]
    public async Task A_store_that_hangs()
    {
        await using var azurite = await Azurite.StartAsync();
        await OutageAsync(azurite.ConnectionString, () => azurite.Process.Signal(ChildProcess.SigStop), () => { azurite.Process.Signal(ChildProcess.SigCont); return Task.CompletedTask; });
    }

    [SkippableFact]
    // SIGTERM: killed, Azurite forgets what it acknowledged in its last seconds, which Azure does not.
    public async Task A_store_that_ends()
    {
        await using var azurite = await Azurite.StartAsync();
        await OutageAsync(azurite.ConnectionString, () => azurite.Process.Signal(ChildProcess.SigTerm), azurite.StartAgainAsync);
    }

    [SkippableFact]
    public async Task A_disk_that_is_full()
    {
        await using var disk = await SmallDisk.MountAsync(megabytes: 200);
        var filler = Path.Combine(disk.Folder, "filler");
        await OutageAsync(null, () => disk.Fill(filler), () => { File.Delete(filler); return Task.CompletedTask; }, Path.Combine(disk.Folder, "data"));
    }

    private static async Task OutageAsync(string? storage, Action begin, Func<Task> end, string? folder = null)
    {
        var temporary = folder is null ? Directory.CreateTempSubdirectory("ostream-outage-") : null;
        try
        {
            await using var broker = await BrokerProcess.StartAsync(folder ?? temporary!.FullName, storage, new Dictionary<string, string> { ["message.max.bytes"] = "20000000" });
            await using var writer = await broker.ConnectAsync();
            await using var reader = await broker.ConnectAsync();
            await writer.CreateTopicAsync(Topic, 1);
            var value = new byte[Megabyte];
            Random.Shared.NextBytes(value);
            byte[] Batch() => RecordBatch.Build([new WireRecord(null, value, DateTimeOffset.UtcNow.ToUnixTimeMilliseconds())]);
            var written = 0;
            for (; written < 5; written++) Assert.Equal(0, (await writer.ProduceAsync(Topic, 0, Batch())).Error);

            begin();
            // A disk has room left in files that it has already: it is full when an append says so.
            KafkaRequests.ProduceAnswer refused = default;
            for (var tries = 0; tries < 300 && refused.Error == 0; tries++)
            {
                refused = await AskAsync(broker, Batch());
                if (refused.Error == 0) written++;
            }
            Assert.True(s_retriable.Contains(refused.Error), $"error {refused.Error} {refused.Message}");
            var read = await reader.FetchAsync(Topic, 0, 0);
            Assert.Equal(0, read.Error);
            Assert.True(RecordBatch.Read(read.Records).Count > 0, "nothing to read while the store is away");

            await end();
            KafkaRequests.ProduceAnswer again = default;
            for (var tries = 0; tries < 60; tries++)
            {
                again = await AskAsync(broker, Batch());
                if (again.Error == 0) break;
                Assert.True(s_retriable.Contains(again.Error), $"error {again.Error} {again.Message}");
                await Task.Delay(500);
            }
            Assert.True(again.Error == 0, $"not back: error {again.Error} {again.Message}\n{broker.Process.Printed}");
            // All that was acknowledged; what was refused may be there or not.
            var log = await reader.ReadAllAsync(Topic, 0);
            Assert.True(log.Count > written, $"{log.Count} records, {written + 1} acknowledged");
            for (var i = 0; i < log.Count; i++) Assert.Equal(i, log[i].Offset);
        }
        finally { temporary?.Delete(recursive: true); }
    }

    /// <summary>On a connection of its own, since the broker may answer late; 5 s is what the request allows the broker.</summary>
    private static async Task<KafkaRequests.ProduceAnswer> AskAsync(BrokerProcess broker, byte[] batch)
    {
        await using var connection = await broker.ConnectAsync();
        return KafkaRequests.ReadProduce(await connection.AskAsync(KafkaRequests.Produce, 8, KafkaRequests.ProduceBody(Topic, 0, batch, timeoutMs: 5000)));
    }
}
