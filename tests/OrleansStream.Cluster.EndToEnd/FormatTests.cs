using System.Net.Sockets;
using OrleansStream.Cluster.EndToEnd.History;
using OrleansStream.Cluster.EndToEnd.Silos;
using OrleansStream.EndToEnd.Brokers;
using OrleansStream.EndToEnd.Wire;
using Xunit.Abstractions;

namespace OrleansStream.Cluster.EndToEnd;

/// <summary>One format: what Standalone has written a cluster serves, and the reverse; and on a container the later one takes over.</summary>
public sealed class FormatTests(ITestOutputHelper output)
{
    private const string Topic = "format";
    private const int Partitions = 4;

    [SkippableTheory]
    [InlineData("disk")]
    [InlineData("blob")]
    public async Task A_folder_of_either(string journal) => await ThereAndBackAsync(null, journal);

    [SkippableFact]
    public async Task A_container_of_either()
    {
        Skip.IfNot(Repository.Full, "on Azurite with --full only");
        await using Azurite azurite = await Azurite.StartAsync();
        await ThereAndBackAsync(azurite.ConnectionString, "blob");
    }

    /// <summary>Standalone on a container that a cluster serves: it fences what the silos write, and they end and say so.</summary>
    [SkippableFact]
    public async Task Standalone_takes_a_container_over()
    {
        Skip.If(BrokerProcess.IsKafka, "our own format");
        await using Azurite azurite = await Azurite.StartAsync();
        using var folder = new TemporaryFolder();
        await using SiloCluster cluster = await SiloCluster.StartAsync(2, folder.Path, azurite.ConnectionString);
        foreach (SiloProcess silo in cluster.Silos) silo.Restarts = false;
        await cluster.CreateTopicAsync(Topic, Partitions);
        var history = new TopicHistory(Topic, Partitions);
        ClusterView view = await cluster.EvenAsync(Topic);
        await WriteAsync(history, p => KafkaConnection.OpenAsync(view.PortOf[view.Partitions[p].Leader]), 1);

        await using BrokerProcess standalone = await BrokerProcess.StartAsync(Path.Combine(folder.Path, "standalone"), azurite.ConnectionString);
        await WriteAsync(history, _ => standalone.ConnectAsync(), 2);
        foreach (SiloProcess silo in cluster.Silos)
        {
            EndedAlone end = await AskUntilItEndsAsync(silo, view.LedBy(silo.NodeId).First(), history);
            output.WriteLine($"broker {silo.NodeId} ended with {end.ExitCode}: {end.Sentence}");
            Assert.NotEqual(0, end.ExitCode);
            Assert.Contains("ostream-silo: ", end.Printed, StringComparison.Ordinal);
        }
        await WriteAsync(history, _ => standalone.ConnectAsync(), 3);
        await history.CheckAsync(_ => standalone.ConnectAsync());
    }

    private static async Task ThereAndBackAsync(string? storage, string journal)
    {
        Skip.If(BrokerProcess.IsKafka, "our own format");
        using var folder = new TemporaryFolder();
        var history = new TopicHistory(Topic, Partitions);
        var settings = new Dictionary<string, string> { ["journal.kind"] = journal };
        await using (BrokerProcess standalone = await BrokerProcess.StartAsync(folder.Path, storage, settings))
        {
            await using (KafkaConnection connection = await standalone.ConnectAsync()) await connection.CreateTopicAsync(Topic, Partitions);
            await WriteAsync(history, _ => standalone.ConnectAsync(), 1);
            // A journal that lies in the store may be left as a crash leaves it; one on a disk belongs to its machine and is emptied by an orderly end.
            if (journal == "blob") await standalone.KillAsync();
            else Assert.Equal(0, await standalone.StopAsync());
        }
        await using (SiloCluster cluster = await SiloCluster.StartAsync(2, folder.Path, storage))
        {
            ClusterView view = await cluster.EvenAsync(Topic);
            Task<KafkaConnection> Leader(int partition) => KafkaConnection.OpenAsync(view.PortOf[view.Partitions[partition].Leader]);
            await history.CheckAsync(Leader);
            await WriteAsync(history, Leader, 2);
            cluster.Silos[0].Kill();
            Assert.Equal(0, await cluster.Silos[1].StopAsync());
        }
        await using (BrokerProcess standalone = await BrokerProcess.StartAsync(folder.Path, storage, settings))
        {
            await WriteAsync(history, _ => standalone.ConnectAsync(), 3);
            await history.CheckAsync(_ => standalone.ConnectAsync());
        }
    }

    /// <summary>A broker that is not asked for anything does not notice that it was fenced: its clients go on writing, and must not be told that they succeeded.</summary>
    private static async Task<EndedAlone> AskUntilItEndsAsync(SiloProcess silo, int partition, TopicHistory history)
    {
        Task<EndedAlone> ending = silo.EndsAloneAsync(0);
        for (int index = 0; !ending.IsCompleted; index++)
        {
            try
            {
                await using KafkaConnection connection = await KafkaConnection.OpenAsync(silo.Port);
                connection.Patience = TimeSpan.FromSeconds(5);
                var record = new Payload(1000 + silo.NodeId, index);
                KafkaRequests.ProduceAnswer answer = await connection.ProduceAsync(Topic, partition, RecordBatch.Build([record.ToRecord()]));
                if (answer.Error == 0) history.Acknowledged(partition, answer.BaseOffset, [record]);
            }
            catch (Exception e) when (e is SocketException or IOException or TimeoutException)
            {
                // It ends.
            }
            await Task.Delay(50);
        }
        return await ending;
    }

    private static async Task WriteAsync(TopicHistory history, Func<int, Task<KafkaConnection>> connect, int producer)
    {
        for (int partition = 0; partition < Partitions; partition++)
        {
            await using KafkaConnection connection = await connect(partition);
            for (int i = 0; i < 20; i++)
            {
                Payload[] records = [.. Enumerable.Range(i * 3, 3).Select(n => new Payload((producer * 100) + partition, n))];
                KafkaRequests.ProduceAnswer answer = await connection.ProduceAsync(Topic, partition, RecordBatch.Build([.. records.Select(static r => r.ToRecord())]));
                Assert.True(answer.Error == 0, $"partition {partition}: error {answer.Error} {answer.Message}");
                history.Acknowledged(partition, answer.BaseOffset, records);
            }
        }
    }

    private sealed class TemporaryFolder : IDisposable
    {
        public string Path { get; } = Directory.CreateTempSubdirectory("ostream-format-").FullName;

        public void Dispose() => Directory.Delete(Path, recursive: true);
    }
}
