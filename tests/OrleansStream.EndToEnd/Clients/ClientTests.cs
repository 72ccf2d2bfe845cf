using System.Text;
using OrleansStream.EndToEnd.Brokers;
using OrleansStream.EndToEnd.Wire;

namespace OrleansStream.EndToEnd.Clients;

/// <summary>All clients; in the slice each is read by five, one codec each, so that every codec of a client is read by some other.</summary>
public sealed class ClientsOnDisk(DiskBroker fixture) : ClientTests(fixture), IClassFixture<DiskBroker>
{
    public static TheoryData<string> Producers => Names(KafkaClient.All);
    public static TheoryData<string> Consumers => Names(KafkaClient.All.Where(c => c.Assigns));
    public static TheoryData<string, string> Pairs => Repository.Full ? AllPairs() : Ring(KafkaClient.All, 0, 1, 2, 3, 4);

    private protected override int BulkBytes => 40_000_000;

    [SkippableTheory, MemberData(nameof(Pairs))]
    public Task What_one_client_writes_another_reads(string producer, string consumer) => WritesAndReadsAsync(producer, consumer);

    [SkippableTheory, MemberData(nameof(Producers))]
    public Task From_no_byte_to_ten_mebibytes_per_record(string name) => SizesAsync(name, codec => codec.First);

    [SkippableTheory, MemberData(nameof(Producers))]
    public Task Keys_land_in_the_partition_that_their_hash_names(string name) => KeysAsync(name, 1, 2, 12, 64);

    [SkippableTheory, MemberData(nameof(Consumers))]
    public Task Reading_starts_where_the_client_says(string name) => StartsAsync(name);

    [SkippableTheory, MemberData(nameof(Producers))]
    public Task A_long_run_has_the_same_digest_at_both_ends(string name) => BulkAsync(name);
}

/// <summary>The clients see no difference between the stores: the slice is one client of each library, and each is read by one other.</summary>
public sealed class ClientsOnBlobs(BlobBroker fixture) : ClientTests(fixture), IClassFixture<BlobBroker>
{
    public static TheoryData<string> Producers => Names(KafkaClient.Representatives);
    public static TheoryData<string> Consumers => Names(KafkaClient.Representatives.Where(c => c.Assigns));
    public static TheoryData<string, string> Pairs => Repository.Full ? AllPairs() : Ring(KafkaClient.Representatives, 1);

    private protected override int BulkBytes => 20_000_000;

    [SkippableTheory, MemberData(nameof(Pairs))]
    public Task What_one_client_writes_another_reads(string producer, string consumer) => WritesAndReadsAsync(producer, consumer);

    [SkippableTheory, MemberData(nameof(Producers))]
    public Task From_no_byte_to_ten_mebibytes_per_record(string name) => SizesAsync(name, codec => codec.Last);

    [SkippableTheory, MemberData(nameof(Producers))]
    public Task Keys_land_in_the_partition_that_their_hash_names(string name) => KeysAsync(name, Repository.Full ? [1, 2, 12, 64] : [64]);

    [SkippableTheory, MemberData(nameof(Consumers))]
    public Task Reading_starts_where_the_client_says(string name) => StartsAsync(name);

    [SkippableTheory, MemberData(nameof(Producers))]
    public Task A_long_run_has_the_same_digest_at_both_ends(string name) => BulkAsync(name);
}

/// <summary>Real clients, each against the others: what one writes, every other reads.</summary>
public abstract class ClientTests(BrokerFixture fixture)
{
    private const int Mebibyte = 1 << 20;
    private static int s_topics = Random.Shared.Next(1_000_000) * 1000;

    private BrokerProcess Broker => fixture.Broker;

    /// <summary>How much the slice sends in a long run.</summary>
    private protected abstract int BulkBytes { get; }

    private protected static TheoryData<string> Names(IEnumerable<KafkaClient> clients) => [.. clients.Select(c => c.Name)];

    private protected static TheoryData<string, string> AllPairs()
    {
        var pairs = new TheoryData<string, string>();
        foreach (var producer in KafkaClient.All)
            foreach (var consumer in KafkaClient.All) pairs.Add(producer.Name, consumer.Name);
        return pairs;
    }

    /// <summary>Every client is read by those that come so many places after it.</summary>
    private protected static TheoryData<string, string> Ring(IReadOnlyList<KafkaClient> clients, params int[] steps)
    {
        var pairs = new TheoryData<string, string>();
        for (var i = 0; i < clients.Count; i++)
            foreach (var step in steps) pairs.Add(clients[i].Name, clients[(i + step) % clients.Count].Name);
        return pairs;
    }

    private protected async Task WritesAndReadsAsync(string producerName, string consumerName)
    {
        var (producer, consumer) = (KafkaClient.Named(producerName), KafkaClient.Named(consumerName));
        producer.Needed();
        consumer.Needed();
        var readable = producer.Codecs.Where(c => !consumer.Unreadable.Contains(c) && !consumer.Unreadable.Contains($"{producer} {c}")).ToList();
        var turn = IndexOf(producer) + IndexOf(consumer);
        foreach (var codec in Repository.Full ? readable : [readable[turn % readable.Count]])
        {
            var (topic, sent, places) = await WrittenByAsync(producer, codec);
            // Where it is known what went into a partition, a client with a JVM for each partition reads one of them in the slice.
            int[] partitions = consumer.SlowStart && producer.ChoosesPartition && !Repository.Full ? [turn % 3] : [0, 1, 2];
            var chosen = Enumerable.Range(0, sent.Count).Where(i => partitions.Length > 1 || sent[i].Partition == partitions[0]).ToList();
            // Who reads in groups only does so in a group of its own.
            var read = consumer.Assigns
                ? await consumer.ConsumeAsync(Broker, topic, partitions, chosen.Count)
                : await consumer.ConsumeInGroupAsync(Broker, topic, $"{topic}-by-{consumer}", "classic", chosen.Count);
            Compare($"{codec} from {producer} to {consumer}", consumer, [.. chosen.Select(i => sent[i])], places.Count > 0 ? [.. chosen.Select(i => places[i])] : [], read);
        }

        static int IndexOf(KafkaClient client) => KafkaClient.All.Select((c, i) => (c, i)).First(p => p.c == client).i;
    }

    private protected async Task SizesAsync(string name, Func<(bool First, bool Last), bool> inSlice)
    {
        var producer = KafkaClient.Named(name);
        producer.Needed();
        var consumer = producer.Assigns ? producer : KafkaClient.Reader;
        foreach (var codec in producer.Codecs.Where(c => Repository.Full || inSlice((c == producer.Codecs[0], c == producer.Codecs[^1]))))
        {
            var topic = await NewTopicAsync(1, ("max.message.bytes", "20000000"));
            int[] sizes = [0, 1, 1023, Mebibyte, 10 * Mebibyte, 0, 7];
            var sent = sizes.Select((size, i) => new ClientRecord(producer.ChoosesPartition ? 0 : null, Bytes($"key-{i}"), Letters(size), [], null)).ToList();
            await producer.ProduceAsync(Broker, topic, codec, sent);
            var read = await consumer.ConsumeAsync(Broker, topic, [0], sent.Count);
            for (var i = 0; i < sent.Count; i++)
            {
                Assert.Equal(i, read[i].Offset);
                Assert.True(sent[i].Value.AsSpan().SequenceEqual(read[i].Value), $"{codec}: the record of {sizes[i]} bytes came back with {read[i].Value?.Length}");
            }
        }
    }

    private protected async Task KeysAsync(string name, params int[] counts)
    {
        var producer = KafkaClient.Named(name);
        producer.Needed();
        foreach (var partitions in counts)
        {
            var topic = await NewTopicAsync(partitions);
            var sent = Enumerable.Range(0, 60).Select(i => new ClientRecord(null, Bytes($"key-{i}-{new string('x', i % 9)}"), Bytes($"value-{i}"), [], null)).ToList();
            await producer.ProduceAsync(Broker, topic, "none", sent);
            var found = await PartitionsByValueAsync(topic, partitions);
            foreach (var record in sent)
            {
                var expected = KeyHash.Partition(producer.Partitioner, record.Key!, partitions);
                Assert.True(expected == found[Encoding.UTF8.GetString(record.Value!)], $"{Encoding.UTF8.GetString(record.Key!)} of {partitions}: in {found[Encoding.UTF8.GetString(record.Value!)]}, belongs in {expected}");
            }
            Assert.Equal(sent.Count, found.Count);
        }
    }

    private protected async Task StartsAsync(string name)
    {
        var consumer = KafkaClient.Named(name);
        consumer.Needed();
        var topic = await NewTopicAsync(2);
        const long firstMs = 1_700_000_000_000;
        await using var connection = await Broker.ConnectAsync();
        for (var partition = 0; partition < 2; partition++)
            for (var batch = 0; batch < 10; batch++)
                Assert.Equal(0, (await connection.ProduceAsync(topic, partition, RecordBatch.Build(
                    [.. Enumerable.Range(batch * 10, 10).Select(i => new WireRecord(null, Bytes($"{partition}/{i}"), firstMs + i * 1000))]))).Error);

        async Task ReadsAsync(string from, long at, int first, Func<Task>? ready = null, int last = 99)
        {
            var read = await consumer.ConsumeAsync(Broker, topic, [0, 1], 2 * (last - first + 1), from, at, ready);
            foreach (var ofOne in read.GroupBy(r => r.Partition!.Value))
            {
                Assert.Equal(Enumerable.Range(first, last - first + 1).Select(i => (long?)i), ofOne.Select(r => r.Offset));
                Assert.Equal(Enumerable.Range(first, last - first + 1).Select(i => $"{ofOne.Key}/{i}"), ofOne.Select(r => Encoding.UTF8.GetString(r.Value!)));
            }
            Assert.Equal(2, read.Select(r => r.Partition).Distinct().Count());
        }

        await ReadsAsync("beginning", 0, 0);
        await ReadsAsync("offset", 37, 37);
        if (consumer.StartsAtTimestamp)
        {
            await ReadsAsync("timestamp", firstMs + 42_000, 42);
            await ReadsAsync("timestamp", firstMs + 42_001, 43);
            await ReadsAsync("timestamp", 0, 0);
        }
        if (!consumer.StartsAtEnd) return;
        await ReadsAsync("end", 0, 100, last: 100, ready: async () =>
        {
            for (var partition = 0; partition < 2; partition++)
                await connection.ProduceAsync(topic, partition, RecordBatch.Build([new WireRecord(null, Bytes($"{partition}/100"), firstMs)]));
        });
    }

    private protected async Task BulkAsync(string name)
    {
        var producer = KafkaClient.Named(name);
        producer.Needed();
        var consumer = producer.Assigns ? producer : KafkaClient.Reader;
        var partitions = producer.ChoosesPartition ? 4 : 1;
        const int size = 10_000;
        var count = (Repository.Full ? 1_000_000_000 : BulkBytes) / size;
        var topic = await NewTopicAsync(partitions);
        var sent = await producer.ProduceBulkAsync(Broker, topic, producer.Codecs[name.Length % producer.Codecs.Length], count, size, partitions);
        Assert.Equal(partitions, sent.Count);
        Assert.Equal(sent, await consumer.ConsumeBulkAsync(Broker, topic, count, partitions));
    }

    private async Task<string> NewTopicAsync(int partitions, params (string, string)[] configs)
    {
        var topic = $"clients-{Interlocked.Increment(ref s_topics)}";
        await using var connection = await Broker.ConnectAsync();
        // Some records are years old, and must not go while a test looks at them.
        await connection.CreateTopicAsync(topic, partitions, [.. configs, ("retention.ms", "-1")]);
        return topic;
    }

    /// <summary>A topic for each codec of a client, written once and read by many tests.</summary>
    private async Task<Written> WrittenByAsync(KafkaClient producer, string codec)
    {
        var key = $"{producer} {codec}";
        if (fixture.Kept.TryGetValue(key, out var kept)) return (Written)kept;
        var topic = await NewTopicAsync(3);
        var sent = Samples.For(producer);
        var places = await producer.ProduceAsync(Broker, topic, codec, sent);
        Assert.Equal(producer.ReportsOffset ? sent.Count : 0, places.Count);
        var written = new Written(topic, sent, places);
        fixture.Kept[key] = written;
        return written;
    }

    private sealed record Written(string Topic, List<ClientRecord> Sent, List<(int Partition, long Offset)> Places);

    private static void Compare(
        string what, KafkaClient consumer, List<ClientRecord> sent, List<(int Partition, long Offset)> places, List<ClientRecord> read)
    {
        foreach (var ofOne in read.GroupBy(r => r.Partition))
            Assert.Equal(Enumerable.Range(0, ofOne.Count()).Select(i => (long?)i), ofOne.Select(r => r.Offset));

        // Where a client does not say where a record went, the order within each partition does.
        var byPlace = read.ToDictionary(r => (r.Partition!.Value, r.Offset!.Value));
        if (places.Count == 0) places = PlacesInOrder(sent, read);
        for (var i = 0; i < sent.Count; i++)
        {
            var (expected, actual) = (sent[i], byPlace[places[i]]);
            var at = $"{what}, record {i} ({Show(expected.Value)}): ";
            if (expected.Partition is { } partition) Assert.Equal(partition, actual.Partition);
            if (expected.Timestamp is { } timestamp) Assert.True(timestamp == actual.Timestamp, at + $"timestamp {actual.Timestamp}");
            else Assert.True(Math.Abs(DateTimeOffset.UtcNow.ToUnixTimeMilliseconds() - actual.Timestamp!.Value) < 3_600_000, at + $"timestamp {actual.Timestamp}");
            if (!consumer.Binary && !Samples.IsText(expected)) continue;
            Assert.True(Same(expected.Key, actual.Key), at + "key " + Show(actual.Key));
            Assert.True(Same(expected.Value, actual.Value), at + "value " + Show(actual.Value));
            Assert.True(expected.Headers.Count == actual.Headers.Count, at + $"{actual.Headers.Count} headers");
            foreach (var (e, a) in expected.Headers.Zip(actual.Headers))
                Assert.True(e.Name == a.Name && Same(e.Value, a.Value), at + $"header {a.Name}={Show(a.Value)}, was {e.Name}={Show(e.Value)}");
        }
    }

    /// <summary>Keys are unique in the samples: each is found by its key, and the order of a partition is that of sending.</summary>
    private static List<(int, long)> PlacesInOrder(List<ClientRecord> sent, List<ClientRecord> read)
    {
        var places = sent.Select(s => read.Single(r => Same(s.Key, r.Key) && Same(s.Value, r.Value))).Select(r => (r.Partition!.Value, r.Offset!.Value)).ToList();
        foreach (var ofOne in places.GroupBy(p => p.Item1)) Assert.Equal(ofOne.Select(p => p.Item2).Order(), ofOne.Select(p => p.Item2));
        return places;
    }

    private async Task<Dictionary<string, int>> PartitionsByValueAsync(string topic, int partitions)
    {
        await using var connection = await Broker.ConnectAsync();
        var found = new Dictionary<string, int>();
        for (var partition = 0; partition < partitions; partition++)
            foreach (var record in await connection.ReadAllAsync(topic, partition)) found.Add(Encoding.UTF8.GetString(record.Value!.Value.Span), partition);
        return found;
    }

    private static bool Same(byte[]? a, byte[]? b) => (a is null) == (b is null) && a.AsSpan().SequenceEqual(b);
    private static string Show(byte[]? bytes) => bytes is null ? "null" : $"'{Encoding.UTF8.GetString(bytes.AsSpan(0, Math.Min(40, bytes.Length)))}'";
    private static byte[] Bytes(string text) => Encoding.UTF8.GetBytes(text);

    private static byte[] Letters(int size)
    {
        var bytes = new byte[size];
        for (var i = 0; i < size; i++) bytes[i] = (byte)('a' + (i * 7 + i / 1000) % 26);
        return bytes;
    }
}
