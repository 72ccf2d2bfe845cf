using OrleansStream.EndToEnd.Brokers;
using OrleansStream.EndToEnd.Killed;
using OrleansStream.EndToEnd.Wire;

namespace OrleansStream.EndToEnd.DataFolder;

/// <summary>A folder changes hands between a process with a disk journal and such as keep their journals in the store, however the one before ended.</summary>
public sealed class JournalKindTests
{
    private const string Topic = "kinds";
    private const int Partitions = 3;

    [SkippableFact]
    public async Task What_one_kind_of_journal_holds_is_there_under_the_other()
    {
        Skip.If(BrokerProcess.IsKafka, "about our journals");
        DirectoryInfo folder = Directory.CreateTempSubdirectory("ostream-kinds-");
        var ledger = new Ledger();
        try
        {
            int round = 0;
            foreach (string kind in new[] { "disk", "blob", "disk", "blob" })
            {
                await using var broker = await BrokerProcess.StartAsync(folder.FullName, null, new Dictionary<string, string> { ["journal.kind"] = kind });
                await using var connection = await broker.ConnectAsync();
                if (round++ == 0)
                    await connection.CreateTopicAsync(Topic, Partitions);
                for (int partition = 0; partition < Partitions; partition++)
                {
                    if (round > 1)
                        ledger.Check(partition, await connection.ReadAllAsync(Topic, partition));
                    await ProduceAsync(connection, ledger, partition, $"{kind} {round}");
                }
                await broker.KillAsync();
            }
            await using var last = await BrokerProcess.StartAsync(folder.FullName);
            await using var reader = await last.ConnectAsync();
            for (int partition = 0; partition < Partitions; partition++)
                ledger.Check(partition, await reader.ReadAllAsync(Topic, partition));
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    private static async Task ProduceAsync(KafkaConnection connection, Ledger ledger, int partition, string text)
    {
        byte[][] values = [.. Enumerable.Range(0, 50).Select(i => System.Text.Encoding.UTF8.GetBytes($"{text}, partition {partition}, value {i}"))];
        string[] hashes = [.. values.Select(static v => Ledger.Hash(v))];
        ledger.Sent(hashes);
        var answer = await connection.ProduceAsync(
            Topic, partition, RecordBatch.Build([.. values.Select(static v => new WireRecord(null, v, DateTimeOffset.UtcNow.ToUnixTimeMilliseconds()))]));
        Assert.Equal(0, answer.Error);
        ledger.Acknowledge(new Acknowledged(partition, answer.BaseOffset, hashes));
    }
}
