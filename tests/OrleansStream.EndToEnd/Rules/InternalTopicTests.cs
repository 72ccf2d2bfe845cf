using OrleansStream.EndToEnd.Brokers;
using OrleansStream.EndToEnd.Wire;

namespace OrleansStream.EndToEnd.Rules;

/// <summary>A broker that creates topics by itself.</summary>
public sealed class CreatingBroker : BrokerFixture
{
    private protected override IReadOnlyDictionary<string, string> Settings => new Dictionary<string, string>();
}

/// <summary>Apache Kafka that does.</summary>
public sealed class CreatingKafka : BrokerFixture
{
    private protected override IReadOnlyDictionary<string, string> Settings => new Dictionary<string, string>();

    private protected override Task<BrokerProcess> StartAsync(string folder, string? storage)
    {
        Missing.Peers();
        return BrokerProcess.StartKafkaAsync(folder, Settings);
    }
}

public sealed class InternalTopicHere(CreatingBroker fixture) : InternalTopicTests(fixture), IClassFixture<CreatingBroker>;

/// <summary>The same of the real Apache Kafka: what is expected is what it does.</summary>
public sealed class InternalTopicAtKafka(CreatingKafka fixture) : InternalTopicTests(fixture), IClassFixture<CreatingKafka>;

/// <summary>A client that names an internal topic before a coordinator needs it: `kafka-console-consumer --topic __consumer_offsets` on a new broker.</summary>
public abstract class InternalTopicTests(BrokerFixture fixture)
{
    private const string Offsets = "__consumer_offsets";

    [SkippableFact]
    public async Task Metadata_makes_an_internal_topic_with_its_own_number_of_partitions()
    {
        await using var connection = await fixture.Broker.ConnectAsync();
        var partitions = new List<bool>();
        // Created by the first request, shown by one of the next.
        for (var tries = 0; partitions.Count == 0 && tries < 100; tries++, await Task.Delay(50))
        {
            var answer = await connection.AskAsync(KafkaRequests.Metadata, 4, new WireWriter().Int32(1).Text(Offsets).Int8(1));
            answer.Int32();
            answer.Array(r => { r.Int32(); r.Text(); r.Int32(); r.Text(); return 0; });
            answer.Text();
            answer.Int32();
            partitions = answer.Array(r =>
            {
                r.Int16();
                Assert.Equal(Offsets, r.Text());
                var isInternal = r.Int8() == 1;
                return r.Array(p => { p.Int16(); p.Int32(); p.Int32(); p.Array(x => x.Int32()); p.Array(x => x.Int32()); return isInternal; });
            })[0];
        }
        // offsets.topic.num.partitions, by default.
        Assert.Equal(Enumerable.Repeat(true, 50), partitions);
    }
}
