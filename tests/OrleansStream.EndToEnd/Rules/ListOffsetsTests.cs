using OrleansStream.EndToEnd.Brokers;
using OrleansStream.EndToEnd.Wire;

namespace OrleansStream.EndToEnd.Rules;

public sealed class ListOffsetsHere(DiskBroker fixture) : ListOffsetsTests(fixture), IClassFixture<DiskBroker>;

/// <summary>The same of the real Apache Kafka: what is expected is what it does.</summary>
[Collection(AtKafka.Name)]
public sealed class ListOffsetsAtKafka(KafkaBroker fixture) : ListOffsetsTests(fixture);

/// <summary>ListOffsets by timestamp and by every special, in every version, on partitions in several states, without tiered storage.</summary>
public abstract class ListOffsetsTests(BrokerFixture fixture)
{
    private const string Unsupported = "error 35";
    private static int s_topics;

    /// <summary>For each state the answers: offset, timestamp, leader epoch; "-" is an answer without an offset. Written down from Apache Kafka 4.3.1.</summary>
    private static readonly Dictionary<string, Dictionary<long, string>> s_expected = new()
    {
        ["empty"] = new()
        {
            [-1] = "0 epoch 0", [-2] = "0 epoch 0", [-3] = "-", [-4] = "0 epoch 0", [-5] = "-", [-6] = "-", [-7] = Unsupported, [0] = "-", [5000] = "-",
        },
        ["some records"] = new()
        {
            [-1] = "6 epoch 0", [-2] = "0 epoch 0", [-3] = "3 at 7000 epoch 0", [-4] = "0 epoch 0", [-5] = "-", [-6] = "-", [-7] = Unsupported,
            [0] = "0 at 1000 epoch 0", [1000] = "0 at 1000 epoch 0", [1001] = "1 at 3000 epoch 0", [3001] = "3 at 7000 epoch 0", [7000] = "3 at 7000 epoch 0", [7001] = "-",
        },
        ["some deleted"] = new()
        {
            [-1] = "6 epoch 0", [-2] = "4 epoch 0", [-3] = "3 at 7000 epoch 0", [-4] = "4 epoch 0", [-5] = "-", [-6] = "-", [-7] = Unsupported,
            [0] = "4 at 5000 epoch 0", [5001] = "5 at 6000 epoch 0", [6001] = "-",
        },
        ["all deleted"] = new()
        {
            [-1] = "6 epoch 0", [-2] = "6 epoch 0", [-3] = "3 at 7000 epoch 0", [-4] = "6 epoch 0", [-5] = "-", [-6] = "-", [-7] = Unsupported, [0] = "-", [5000] = "-",
        },
    };

    /// <summary>
    /// Where ours answers something else: for the largest timestamp Kafka names a deleted record as long as its segment is there; we name one that can be read.
    /// </summary>
    private static readonly Dictionary<(string State, long Timestamp), string> s_ours = new()
    {
        [("some deleted", -3)] = "5 at 6000 epoch 0",
        [("all deleted", -3)] = "-",
    };

    public static TheoryData<string> States => [.. s_expected.Keys];

    [SkippableTheory, MemberData(nameof(States))]
    public async Task Every_version_answers_as_Kafka_does(string state)
    {
        await using var connection = await fixture.Broker.ConnectAsync();
        var topic = $"offsets-{Interlocked.Increment(ref s_topics)}";
        await connection.CreateTopicAsync(topic, 1, ("retention.ms", "-1"));
        if (state != "empty")
        {
            foreach (var timestamps in (long[][])[[1000], [3000, 2000], [7000, 5000, 6000]])
                Assert.Equal(0, (await connection.ProduceAsync(topic, 0, RecordBatch.Build([.. timestamps.Select(t => new WireRecord(null, "v"u8.ToArray(), t))]))).Error);
        }
        if (state == "some deleted") Assert.Equal(((short)0, 4L), await connection.DeleteRecordsAsync(topic, 0, 4));
        if (state == "all deleted") Assert.Equal(((short)0, 6L), await connection.DeleteRecordsAsync(topic, 0, -1));

        var differences = new List<string>();
        for (short version = 1; version <= 11; version++)
        {
            foreach (var (timestamp, kafkas) in s_expected[state])
            {
                var outcome = fixture.Broker.RunsKafka ? kafkas : s_ours.GetValueOrDefault((state, timestamp), kafkas);
                foreach (var isolation in version >= 2 ? (int[])[0, 1] : [0])
                {
                    var (expected, answer) = (In(version, timestamp, outcome), await connection.ListOffsetsInAsync(version, topic, 0, timestamp, isolation));
                    if (answer != expected) differences.Add($"version {version}, isolation level {isolation}, timestamp {timestamp}: {answer} instead of {expected}");
                }
            }
        }
        Assert.Empty(differences);
    }

    /// <summary>-3 came with version 7 (KIP-734), -4 with 8 (KIP-405), -5 with 9 (KIP-1005), -6 with 11 (KIP-1023); leader epochs with 4.</summary>
    private static string In(short version, long timestamp, string outcome)
    {
        var lowest = version switch { >= 11 => -6, >= 9 => -5, 8 => -4, 7 => -3, _ => -2 };
        if (timestamp < lowest) return Unsupported;
        return version >= 4 ? outcome : outcome.Replace(" epoch 0", "", StringComparison.Ordinal);
    }
}
