using OrleansStream.EndToEnd.Brokers;
using OrleansStream.EndToEnd.Wire;

namespace OrleansStream.EndToEnd.BadInput;

public sealed class BadInputHere(DiskBroker fixture) : BadInputTests(fixture), IClassFixture<DiskBroker>;

/// <summary>The same bytes to the real Apache Kafka: what is expected is what it does.</summary>
[Collection(AtKafka.Name)]
public sealed class BadInputAtKafka(KafkaBroker fixture) : BadInputTests(fixture);

/// <summary>Wrong bytes from a raw socket: the outcome, that no other connection notices, that nothing is written, that memory stays bounded.</summary>
public abstract class BadInputTests(BrokerFixture fixture)
{
    private BrokerProcess Broker => fixture.Broker;

    public static TheoryData<string> Frames => [.. BadInputCases.Frames.Keys];
    public static TheoryData<string> Records => [.. BadInputCases.Records.Keys];
    public static TheoryData<string> Produces => [.. BadInputCases.Produces.Keys];

    [SkippableTheory, MemberData(nameof(Frames))]
    public async Task A_broken_frame_ends_its_connection_and_no_other(string name)
    {
        await using var neighbour = await NeighbourAsync();
        await using var connection = await Broker.ConnectAsync();
        await connection.SendRawAsync(BadInputCases.Frames[name]());
        connection.Patience = TimeSpan.FromSeconds(20);
        Assert.Null(await connection.ReadFrameAsync());
        await neighbour.ApiVersionsAsync();
    }

    [SkippableTheory, MemberData(nameof(Records))]
    public async Task Records_that_lie_are_refused_and_not_written(string name)
    {
        await using var neighbour = await NeighbourAsync();
        var (outcome, records) = BadInputCases.Records[name];
        if (!Broker.RunsKafka) outcome = BadInputCases.Ours.GetValueOrDefault(name, outcome);
        var end = await EndAsync(neighbour);
        Assert.Equal(outcome, await OutcomeAsync(KafkaRequests.ProduceBody(BadInputCases.Topic, 0, records())));
        if (outcome != "error 0") Assert.Equal(end, await EndAsync(neighbour));
        // What stands in the log can be read to its end, whatever was tried.
        Assert.Equal(await EndAsync(neighbour), (await neighbour.ReadAllAsync(BadInputCases.Topic, 0)).Count);
    }

    [SkippableTheory, MemberData(nameof(Produces))]
    public async Task Requests_that_ask_for_the_impossible_get_Kafkas_codes(string name)
    {
        await using var neighbour = await NeighbourAsync();
        var (outcome, body) = BadInputCases.Produces[name];
        Assert.Equal(outcome, await OutcomeAsync(body()));
    }

    [SkippableFact]
    public async Task An_unknown_version_of_ApiVersions_is_answered_in_version_0()
    {
        await using var neighbour = await NeighbourAsync();
        await using var connection = await Broker.ConnectAsync();
        var answer = await connection.AskAsync(KafkaRequests.ApiVersions, 99, new WireWriter().Int8(0));
        Assert.Equal(35, answer.Int16());
        // KIP-511: with at least the range of ApiVersions itself.
        Assert.Contains(answer.Array(r => (Api: r.Int16(), Min: r.Int16(), Max: r.Int16())), v => v.Api == KafkaRequests.ApiVersions && v.Min == 0);
    }

    [SkippableFact]
    public async Task A_cut_request_is_not_carried_out()
    {
        await using var neighbour = await NeighbourAsync();
        var end = await EndAsync(neighbour);
        var whole = BadInputCases.Framed(KafkaConnection.Request(KafkaRequests.Produce, 8, 1, KafkaRequests.ProduceBody(BadInputCases.Topic, 0, BadInputCases.Good())));
        foreach (var length in (int[])[1, 4, 5, 20, whole.Length / 2, whole.Length - 1])
        {
            await using var connection = await Broker.ConnectAsync();
            await connection.SendRawAsync(whole.AsMemory(0, length));
            connection.EndSending();
            Assert.Null(await connection.ReadFrameAsync());
        }
        Assert.Equal(end, await EndAsync(neighbour));
    }

    [SkippableFact]
    public async Task A_hundred_connections_that_announce_much_and_send_little_take_no_memory()
    {
        await using var neighbour = await NeighbourAsync();
        Skip.If(Broker.RunsKafka, "the memory of a JVM says nothing");
        var before = Broker.Process.ResidentBytes;
        var connections = new List<KafkaConnection>();
        for (var i = 0; i < 100; i++)
        {
            connections.Add(await Broker.ConnectAsync());
            // 100 MB each, all of it allowed: 10 GB in all if room were made before the bytes come
            await connections[^1].SendRawAsync((byte[])[0x06, 0x3f, 0xff, 0xff, .. new byte[100_000]]);
        }
        await neighbour.ApiVersionsAsync();
        var grown = Broker.Process.ResidentBytes - before;
        foreach (var connection in connections) await connection.DisposeAsync();
        Assert.True(grown < 200_000_000, $"{grown:N0} bytes more for 10 MB received");
        await neighbour.ApiVersionsAsync();
    }

    private async Task<KafkaConnection> NeighbourAsync()
    {
        var connection = await Broker.ConnectAsync();
        if (!fixture.Kept.ContainsKey("topics"))
        {
            await connection.CreateTopicAsync(BadInputCases.Topic, 1);
            await connection.CreateTopicAsync(BadInputCases.Small, 1, ("max.message.bytes", "1000"));
            fixture.Kept["topics"] = true;
        }
        return connection;
    }

    private async Task<string> OutcomeAsync(WireWriter body)
    {
        await using var connection = await Broker.ConnectAsync();
        connection.Patience = TimeSpan.FromSeconds(20);
        await connection.SendAsync(KafkaConnection.Request(KafkaRequests.Produce, 8, 1, body).Bytes);
        if (await connection.ReadFrameAsync() is not { } frame) return BadInputCases.Closed;
        var reader = new WireReader(frame);
        reader.Int32();
        return $"error {KafkaRequests.ReadProduce(reader).Error}";
    }

    private static async Task<long> EndAsync(KafkaConnection connection) => (await connection.ListOffsetAsync(BadInputCases.Topic, 0, -1)).Offset;
}
