using System.Text;
using OrleansStream.EndToEnd.Brokers;
using OrleansStream.EndToEnd.Wire;

namespace OrleansStream.EndToEnd.Clients;

public sealed class GroupsOnDisk(DiskBroker fixture) : GroupTests(fixture), IClassFixture<DiskBroker>
{
    [SkippableTheory, MemberData(nameof(Members))]
    public Task A_member_reads_everything_once_and_its_successor_what_came_since(string client, string protocol) => ReadsOnAsync(client, protocol);
}

/// <summary>What the members store is the same on every store: a few of them show that it is durable there, all of them in a long run.</summary>
public sealed class GroupsOnBlobs(BlobBroker fixture) : GroupTests(fixture), IClassFixture<BlobBroker>
{
    [SkippableTheory, MemberData(nameof(SomeMembers))]
    public Task A_member_reads_everything_once_and_its_successor_what_came_since(string client, string protocol) => ReadsOnAsync(client, protocol);
}

/// <summary>Real clients as members of groups.</summary>
public abstract class GroupTests(BrokerFixture fixture)
{
    private const int Partitions = 3;
    private static int s_topics = Random.Shared.Next(1_000_000) * 1000;

    public static TheoryData<string, string> Members() => Pairs(KafkaClient.All);

    public static TheoryData<string, string> SomeMembers() => Pairs(KafkaClient.All.Where(c => Repository.Full || c.Name == "confluent-kafka 2.16"));

    private static TheoryData<string, string> Pairs(IEnumerable<KafkaClient> clients)
    {
        var pairs = new TheoryData<string, string>();
        foreach (var client in clients)
            foreach (var protocol in client.GroupProtocols) pairs.Add(client.Name, protocol);
        return pairs;
    }

    private protected async Task ReadsOnAsync(string name, string protocol)
    {
        var client = KafkaClient.Named(name);
        client.Needed();
        var topic = $"groups-{Interlocked.Increment(ref s_topics)}";
        var group = $"group-of-{topic}";
        await using var connection = await fixture.Broker.ConnectAsync();
        await connection.CreateTopicAsync(topic, Partitions);

        await AppendAsync(connection, topic, 0, 10);
        Assert.Equal(Expected(0, 10), await ReadAsync(10 * Partitions));
        // What was committed counts: nothing is read twice, and nothing is left out.
        await AppendAsync(connection, topic, 10, 15);
        Assert.Equal(Expected(10, 15), await ReadAsync(5 * Partitions));

        async Task<IEnumerable<string>> ReadAsync(int count) =>
            (await client.ConsumeInGroupAsync(fixture.Broker, topic, group, protocol, count)).Select(r => Encoding.UTF8.GetString(r.Value!)).Order(StringComparer.Ordinal);
    }

    private static async Task AppendAsync(KafkaConnection connection, string topic, int from, int to)
    {
        for (var partition = 0; partition < Partitions; partition++)
        {
            var records = Enumerable.Range(from, to - from).Select(i => new WireRecord(null, Encoding.UTF8.GetBytes($"{partition}/{i}"), 1_700_000_000_000)).ToArray();
            Assert.Equal(0, (await connection.ProduceAsync(topic, partition, RecordBatch.Build([.. records]))).Error);
        }
    }

    private static IEnumerable<string> Expected(int from, int to) =>
        Enumerable.Range(0, Partitions).SelectMany(p => Enumerable.Range(from, to - from).Select(i => $"{p}/{i}")).Order(StringComparer.Ordinal);
}
