using System.Diagnostics;
using OrleansStream.Cluster.EndToEnd.History;
using OrleansStream.Cluster.EndToEnd.Silos;
using OrleansStream.EndToEnd.Brokers;
using OrleansStream.EndToEnd.Wire;
using Xunit.Abstractions;

namespace OrleansStream.Cluster.EndToEnd;

/// <summary>What is changed through one silo, every silo shows; how soon is printed (the goal: a second).</summary>
public sealed class PictureTests(ITestOutputHelper output) : ClusterTest(output)
{
    private const short UnknownTopic = 3;
    private static int Rounds => Repository.Full ? 20 : 3;

    [SkippableFact]
    public Task Topics_changed_through_any_silo() => OnFolderAsync(async cluster =>
    {
        List<TimeSpan> created = [], widened = [], configured = [], deleted = [];
        for (int round = 0; round < Rounds; round++)
        {
            string topic = $"shown-{round}";
            SiloProcess Through(int step) => cluster.Silos[(round + step) % Silos];
            created.Add(await ShownAsync(cluster, Through(0), c => c.TryCreateTopicAsync(topic, 4), async c => IsServed(await ClusterView.AskAsync(c, topic), 4)));
            widened.Add(await ShownAsync(cluster, Through(1), c => c.WidenTopicAsync(topic, 7), async c => IsServed(await ClusterView.AskAsync(c, topic), 7)));
            configured.Add(await ShownAsync(cluster, Through(2), c => c.SetTopicConfigAsync(topic, "retention.ms", "123456"), async c => await c.TopicConfigAsync(topic, "retention.ms") == "123456"));
            // Told to a silo that has not heard of its partitions, the command would be repeated seconds later.
            Assert.DoesNotContain("is not this silo's to lead", cluster.Printed(), StringComparison.Ordinal);
            deleted.Add(await ShownAsync(cluster, Through(0), c => c.DeleteTopicAsync(topic), async c => (await ClusterView.AskAsync(c, topic)).TopicError == UnknownTopic));
        }
        Output.WriteLine($"shown by all after the answer: created and served {created.Summary()}; widened {widened.Summary()}; configured {configured.Summary()}; deleted {deleted.Summary()}");
    });

    /// <summary>A topic made through one silo right after it was deleted through another is a new one, everywhere.</summary>
    [SkippableFact]
    public Task A_topic_made_again_is_empty() => OnFolderAsync(async cluster =>
    {
        await using KafkaConnection first = await KafkaConnection.OpenAsync(cluster.Silos[0].Port), second = await KafkaConnection.OpenAsync(cluster.Silos[1].Port);
        await cluster.CreateTopicAsync("again", 3);
        for (int partition = 0; partition < 3; partition++)
        {
            await using KafkaConnection leader = await cluster.ConnectToLeaderAsync("again", partition);
            Assert.Equal(0, (await leader.ProduceAsync("again", partition, RecordBatch.Build([new Payload(1, partition).ToRecord()]))).Error);
        }
        Assert.Equal(0, await first.DeleteTopicAsync("again"));
        Assert.Equal(0, await second.TryCreateTopicAsync("again", 3));
        for (int partition = 0; partition < 3; partition++)
        {
            await using KafkaConnection leader = await cluster.ConnectToLeaderAsync("again", partition);
            Assert.Equal(((short)0, 0L), (await leader.ListOffsetAsync("again", partition, -1)) is var end ? (end.Error, end.Offset) : default);
        }
    });

    private static bool IsServed(ClusterView view, int partitions) =>
        view.TopicError == 0 && view.Partitions.Count == partitions && view.Partitions.All(static p => p.Leader >= 0 && p.LeaderEpoch >= 0);

    /// <summary>From the answer of the silo that was asked until every silo shows it.</summary>
    private static async Task<TimeSpan> ShownAsync(SiloCluster cluster, SiloProcess through, Func<KafkaConnection, Task<short>> change, Func<KafkaConnection, Task<bool>> isShown)
    {
        await using KafkaConnection asked = await KafkaConnection.OpenAsync(through.Port);
        Assert.Equal(0, await change(asked));
        long answered = Stopwatch.GetTimestamp();
        await Task.WhenAll(cluster.Silos.Select(async silo =>
        {
            await using KafkaConnection connection = await KafkaConnection.OpenAsync(silo.Port);
            while (!await isShown(connection))
            {
                if (Stopwatch.GetElapsedTime(answered) > TimeSpan.FromSeconds(60)) throw new TimeoutException($"broker {silo.NodeId} does not show it");
                await Task.Delay(5);
            }
        }));
        return Stopwatch.GetElapsedTime(answered);
    }
}
