using OrleansStream.EndToEnd.Brokers;
using OrleansStream.EndToEnd.Wire;

namespace OrleansStream.EndToEnd.Rules;

public sealed class SequencesHere(DiskBroker fixture) : SequenceTests(fixture), IClassFixture<DiskBroker>
{
    private protected override Task<BrokerProcess> StartAsync(string folder, IReadOnlyDictionary<string, string>? settings = null) =>
        BrokerProcess.StartAsync(folder, null, settings);
}

/// <summary>The same of the real Apache Kafka: what is expected is what it does.</summary>
[Collection(AtKafka.Name)]
public sealed class SequencesAtKafka(KafkaBroker fixture) : SequenceTests(fixture)
{
    private protected override Task<BrokerProcess> StartAsync(string folder, IReadOnlyDictionary<string, string>? settings = null)
    {
        Missing.Peers();
        Skip.IfNot(Repository.Full, "restarts of Apache Kafka: with --full only");
        return BrokerProcess.StartKafkaAsync(folder, settings ?? new Dictionary<string, string>());
    }
}

/// <summary>What a broker does with the sequence numbers of idempotent producers.</summary>
public abstract class SequenceTests(BrokerFixture fixture)
{
    private static int s_topics;

    public static TheoryData<string> Cases => [.. SequenceCases.All.Keys];

    private protected abstract Task<BrokerProcess> StartAsync(string folder, IReadOnlyDictionary<string, string>? settings = null);

    [SkippableTheory, MemberData(nameof(Cases))]
    public async Task Sequences_are_judged_as_Kafka_does(string name)
    {
        await using var connection = await fixture.Broker.ConnectAsync();
        var topic = await NewTopicAsync(connection);
        var (id, _) = await connection.InitProducerIdAsync();
        var steps = SequenceCases.All[name];
        Assert.Equal(steps.Select(Show), (await OutcomesAsync(connection, topic, id, steps)).Select(Show));
        // What was refused or known is not written.
        var written = steps.Where(s => s.Outcome.Contains('@', StringComparison.Ordinal)).DistinctBy(s => s.Outcome).Sum(s => s.Records);
        Assert.Equal(written, (await connection.ReadAllAsync(topic, 0)).Count);
    }

    [SkippableFact]
    public async Task Producers_and_partitions_do_not_see_each_other()
    {
        await using var connection = await fixture.Broker.ConnectAsync();
        var topic = await NewTopicAsync(connection, 2);
        var (one, _) = await connection.InitProducerIdAsync();
        var (other, _) = await connection.InitProducerIdAsync();
        Assert.NotEqual(one, other);
        foreach (var (id, partition, sequence, outcome) in new[]
            { (one, 0, 0, "0@0"), (other, 0, 0, "0@1"), (one, 1, 0, "0@0"), (one, 0, 1, "0@2"), (one, 1, 2, "45"), (other, 0, 1, "0@3"), (one, 0, 0, "0@0"), (-1L, 0, -1, "0@4") })
            Assert.Equal(outcome, Outcome(await SendAsync(connection, topic, partition, Batch(id, (short)(id < 0 ? -1 : 0), sequence, 1))));
    }

    [SkippableFact]
    public async Task Producers_are_known_after_their_records_were_deleted()
    {
        await using var connection = await fixture.Broker.ConnectAsync();
        var topic = await NewTopicAsync(connection);
        var (id, _) = await connection.InitProducerIdAsync();
        await ExpectAsync(connection, topic, id, new(0, 0, 3, "0@0"), new(0, 3, 2, "0@3"));
        Assert.Equal(((short)0, 5L), await connection.DeleteRecordsAsync(topic, 0, -1));
        await ExpectAsync(connection, topic, id, new(0, 3, 2, "0@3"), new(0, 7, 1, "45"), new(0, 5, 1, "0@5"), new(0, 0, 3, "0@0"));
    }

    [SkippableTheory, InlineData(true), InlineData(false)]
    public async Task Producers_are_known_after_a_restart(bool killed)
    {
        var folder = Directory.CreateTempSubdirectory("ostream-sequences-");
        try
        {
            await using var broker = await StartAsync(folder.FullName);
            const string topic = "restarted";
            long id;
            await using (var connection = await broker.ConnectAsync())
            {
                await connection.CreateTopicAsync(topic, 1);
                (id, _) = await connection.InitProducerIdAsync();
                await ExpectAsync(connection, topic, id,
                    new(0, 0, 1, "0@0"), new(0, 1, 2, "0@1"), new(1, 0, 2, "0@3"), new(1, 2, 1, "0@5"), new(1, 3, 1, "0@6"), new(1, 4, 1, "0@7"), new(1, 5, 1, "0@8"));
            }
            if (killed) await broker.KillAsync();
            else await broker.StopAsync();
            await broker.StartAgainAsync();
            await using var again = await broker.ConnectAsync();
            while (await again.CountLeadersAsync(topic) < 1) await Task.Delay(20);
            // Kafka's snapshot of a producer holds its last batch alone, ours all five, so that a retry across a restart is still known.
            await ExpectAsync(again, topic, id, new SequenceStep(1, 0, 2, broker.RunsKafka ? "45" : "0@3"));
            await ExpectAsync(again, topic, id,
                new(1, 5, 1, "0@8"), new(1, 8, 1, "45"), new(0, 3, 1, "47"), new(1, 6, 1, "0@9"), new(1, 0, 2, "45"), new(2, 0, 1, "0@10"));
            Assert.NotEqual(id, (await again.InitProducerIdAsync()).Id);
        }
        finally { folder.Delete(recursive: true); }
    }

    [SkippableFact]
    public async Task An_idle_producer_is_forgotten()
    {
        var folder = Directory.CreateTempSubdirectory("ostream-sequences-");
        try
        {
            await using var broker = await StartAsync(folder.FullName, new Dictionary<string, string>
                { ["producer.id.expiration.ms"] = "3000", ["producer.id.expiration.check.interval.ms"] = "100" });
            await using var connection = await broker.ConnectAsync();
            const string topic = "forgotten";
            await connection.CreateTopicAsync(topic, 1);
            var (id, _) = await connection.InitProducerIdAsync();
            await ExpectAsync(connection, topic, id, new(5, 0, 1, "0@0"), new(5, 1, 1, "0@1"), new(5, 1, 1, "0@1"));
            // Refused for as long as the producer is known; no refusal keeps it alive.
            AppendedOrRefused answer;
            do
            {
                answer = new(Outcome(await SendAsync(connection, topic, 0, Batch(id, 5, 17, 1))));
            }
            while (answer.Refused);
            Assert.Equal("0@2", answer.Outcome);
            await ExpectAsync(connection, topic, id, new(5, 17, 1, "0@2"), new(5, 18, 1, "0@3"), new(5, 1, 1, "45"));
            // Its epoch is forgotten as well: an older one may begin anew.
            do
            {
                answer = new(Outcome(await SendAsync(connection, topic, 0, Batch(id, 3, 0, 1))));
            }
            while (answer.Refused);
            Assert.Equal("0@4", answer.Outcome);
        }
        finally { folder.Delete(recursive: true); }
    }

    private readonly record struct AppendedOrRefused(string Outcome)
    {
        public bool Refused => Outcome is "45" or "47";
    }

    private static async Task<string> NewTopicAsync(KafkaConnection connection, int partitions = 1)
    {
        var topic = $"sequences-{Interlocked.Increment(ref s_topics)}";
        await connection.CreateTopicAsync(topic, partitions);
        return topic;
    }

    private static async Task ExpectAsync(KafkaConnection connection, string topic, long id, params SequenceStep[] steps) =>
        Assert.Equal(steps.Select(Show), (await OutcomesAsync(connection, topic, id, steps)).Select(Show));

    private static async Task<List<SequenceStep>> OutcomesAsync(KafkaConnection connection, string topic, long id, SequenceStep[] steps)
    {
        var outcomes = new List<SequenceStep>();
        foreach (var step in steps)
            outcomes.Add(step with { Outcome = Outcome(await SendAsync(connection, topic, 0, Batch(id, (short)step.Epoch, step.Sequence, step.Records))) });
        return outcomes;
    }

    /// <summary>Again while the broker does not lead the partition: Kafka shows leaders before they lead.</summary>
    private static async Task<KafkaRequests.ProduceAnswer> SendAsync(KafkaConnection connection, string topic, int partition, byte[] batch)
    {
        const short notLeaderOrFollower = 6;
        while (true)
        {
            var answer = await connection.ProduceAsync(topic, partition, batch);
            if (answer.Error != notLeaderOrFollower) return answer;
            await Task.Delay(20);
        }
    }

    private static byte[] Batch(long id, short epoch, int sequence, int records) => RecordBatch.Build(
        [.. Enumerable.Range(0, records).Select(i => new WireRecord(null, "value"u8.ToArray(), DateTimeOffset.UtcNow.ToUnixTimeMilliseconds()))], id, epoch, sequence);

    private static string Outcome(KafkaRequests.ProduceAnswer answer) => answer.Error == 0 ? $"0@{answer.BaseOffset}" : $"{answer.Error}";

    private static string Show(SequenceStep step) => $"epoch {step.Epoch}, sequence {step.Sequence}, {step.Records} records: {step.Outcome}";
}
