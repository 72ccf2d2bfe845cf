using System.Buffers.Binary;
using OrleansStream.Broker.Topics;
using OrleansStream.Gateway.Tests.Fakes;
using OrleansStream.Protocol;
using OrleansStream.Protocol.Messages;

namespace OrleansStream.Gateway.Tests;

/// <summary>What no client should send: the connection ends with one log line, or with the error that Kafka gives; nobody else notices.</summary>
public sealed class BadInputTests
{
    public static TheoryData<string, byte[]> Malformed()
    {
        byte[] metadata = WireClient.Frame(new MetadataRequest { Topics = [new() { Name = "t" }] }, 1, 1);
        byte[] produce = WireClient.Frame(Requests.Produce("t", 0, Requests.Batch(1)), 9, 1);
        return new()
        {
            { "a size of -1", Int32(-1) },
            { "a size of 2 GiB", Int32(int.MaxValue) },
            { "a size above the limit", Int32((100 << 20) + 1) },
            { "an empty frame", Int32(0) },
            { "a frame of three bytes", [.. Int32(3), 0, 0, 0] },
            { "another protocol", "GET / HTTP/1.1\r\n\r\n"u8.ToArray() },
            { "an API that does not exist", Header(999, 0) },
            { "an API key below zero", Header(-5, 0) },
            { "an API that is not served", Header((short)ApiKey.ControlledShutdown, 0) },
            { "a version above ours", Header((short)ApiKey.Metadata, 99) },
            { "a version below ours", Header((short)ApiKey.Fetch, 3) },
            { "Produce of a version that is only advertised", Header((short)ApiKey.Produce, 2) },
            { "a body that ends early", Resized(metadata, metadata.Length - 2) },
            { "an array longer than the frame", Patched(metadata, metadata.Length - 7, [0x7f, 0xff, 0xff, 0xff]) },
            { "an array length below zero", Patched(metadata, metadata.Length - 7, [0xff, 0xff, 0xff, 0xf0]) },
            { "a string longer than the frame", Patched(metadata, metadata.Length - 3, [0x7f, 0xff]) },
            { "a null topic where none is allowed", Patched(metadata, metadata.Length - 3, [0xff, 0xff]) },
            { "records longer than the frame", Patched(produce, produce.Length - 61 - 4, [0xff, 0xff]) },
        };
    }

    [Theory]
    [MemberData(nameof(Malformed))]
    public async Task Malformed_bytes_close_their_connection_with_one_line_and_no_other(string what, byte[] bytes)
    {
        await using TestGateway gateway = await TestGateway.StartAsync();
        TopicPicture topic = gateway.Engine.AddTopic("t");
        using WireClient bystander = await WireClient.ConnectAsync(gateway);
        await bystander.MetadataAsync(Requests.Metadata("t"), 9);
        using WireClient culprit = await WireClient.ConnectAsync(gateway);

        await culprit.SendBytesAsync(bytes);
        Assert.True(await culprit.ReceiveFrameAsync() is null, what);
        await PipeliningTests.WaitUntil(() => !gateway.Logs.Lines.IsEmpty);
        Assert.Single(gateway.Logs.Lines);
        Assert.Equal(0, gateway.Engine.Partition(topic, 0).HighWatermark);
        Assert.Single((await bystander.MetadataAsync(Requests.Metadata("t"), 9)).Topics);
    }

    [Fact]
    public async Task Whatever_stands_before_bad_bytes_is_answered()
    {
        await using TestGateway gateway = await TestGateway.StartAsync();
        gateway.Engine.AddTopic("t");
        using WireClient client = await WireClient.ConnectAsync(gateway);
        await client.SendBytesAsync((byte[])[.. WireClient.Frame(Requests.Produce("t", 0, Requests.Batch(1)), 9, 1), .. Int32(-1)]);
        Assert.Equal(1, (await client.ReceiveAsync<ProduceResponse>(ProduceRequest.Info, 9)).Correlation);
        Assert.Null(await client.ReceiveFrameAsync());
    }

    [Fact]
    public async Task A_client_that_goes_in_the_middle_of_a_request_leaves_no_trace()
    {
        await using TestGateway gateway = await TestGateway.StartAsync();
        TopicPicture topic = gateway.Engine.AddTopic("t");
        using (WireClient client = await WireClient.ConnectAsync(gateway))
            await client.SendBytesAsync(WireClient.Frame(Requests.Produce("t", 0, Requests.Batch(1, 5000)), 9, 1).AsMemory(0, 3000));
        using WireClient next = await WireClient.ConnectAsync(gateway);
        await next.MetadataAsync(Requests.Metadata("t"), 9);
        Assert.Equal(0, gateway.Engine.Partition(topic, 0).HighWatermark);
        Assert.Empty(gateway.Logs.Lines);
    }

    [Fact]
    public async Task Bytes_behind_a_request_s_end_are_passed_over_as_in_Kafka()
    {
        await using TestGateway gateway = await TestGateway.StartAsync();
        using WireClient client = await WireClient.ConnectAsync(gateway);
        byte[] longer = Resized([.. WireClient.Frame(new ApiVersionsRequest(), 0, 1), 1, 2, 3, 4], null);
        await client.SendBytesAsync(longer);
        Assert.Equal(0, (await client.ReceiveAsync<ApiVersionsResponse>(ApiVersionsRequest.Info, 0)).Body.ErrorCode);
    }

    private static byte[] Int32(int value)
    {
        byte[] bytes = new byte[4];
        BinaryPrimitives.WriteInt32BigEndian(bytes, value);
        return bytes;
    }

    private static byte[] Header(short api, short version)
    {
        byte[] frame = new byte[4 + 40];
        BinaryPrimitives.WriteInt32BigEndian(frame, 40);
        BinaryPrimitives.WriteInt16BigEndian(frame.AsSpan(4), api);
        BinaryPrimitives.WriteInt16BigEndian(frame.AsSpan(6), version);
        return frame;
    }

    private static byte[] Patched(byte[] frame, int at, byte[] bytes)
    {
        byte[] patched = [.. frame];
        bytes.CopyTo(patched, at);
        return patched;
    }

    // With a size field that is right for what is left.
    private static byte[] Resized(byte[] frame, int? length)
    {
        byte[] cut = frame[..(length ?? frame.Length)];
        BinaryPrimitives.WriteInt32BigEndian(cut, cut.Length - 4);
        return cut;
    }
}
