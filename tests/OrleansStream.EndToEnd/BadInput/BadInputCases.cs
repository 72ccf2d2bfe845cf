using System.Buffers.Binary;
using System.Text;
using OrleansStream.EndToEnd.Wire;

namespace OrleansStream.EndToEnd.BadInput;

/// <summary>What a broker does with something wrong: closes the connection, or answers an error code. Written down from Apache Kafka 4.3.1.</summary>
internal static class BadInputCases
{
    public const string Closed = "closed";
    public const string Topic = "bad-input", Small = "bad-input-small";

    /// <summary>Bytes on a fresh connection, framed or not, that never get an answer.</summary>
    public static readonly Dictionary<string, Func<byte[]>> Frames = new()
    {
        ["a length of 2 GB"] = () => [0x7f, 0xff, 0xff, 0xff, .. new byte[1000]],
        ["a length just over socket.request.max.bytes"] = () => [.. Int32(104_857_601), .. new byte[1000]],
        ["a negative length"] = () => [0xff, 0xff, 0xff, 0xff],
        ["the most negative length"] = () => [0x80, 0, 0, 0],
        ["a length of zero"] = () => [0, 0, 0, 0],
        ["a header cut short"] = () => [0, 0, 0, 3, 0, 3, 0],
        ["an unknown request"] = () => Framed(KafkaConnection.Request(9999, 0, 1, new WireWriter())),
        ["a negative request"] = () => Framed(KafkaConnection.Request(-1, 0, 1, new WireWriter())),
        ["Metadata of a version to come"] = () => Framed(KafkaConnection.Request(KafkaRequests.Metadata, 99, 1, new WireWriter())),
        ["Metadata of a negative version"] = () => Framed(KafkaConnection.Request(KafkaRequests.Metadata, -1, 1, new WireWriter())),
        ["Fetch of a version long gone"] = () => Framed(KafkaConnection.Request(KafkaRequests.Fetch, 0, 1, new WireWriter())),
        ["a client id longer than the frame"] = () => Framed(new WireWriter().Int16(3).Int16(4).Int32(1).Int16(30_000).Raw("short"u8)),
        ["an array longer than the frame"] = () => Framed(KafkaConnection.Request(KafkaRequests.Metadata, 4, 1, new WireWriter().Int32(int.MaxValue))),
        ["a string longer than the frame"] = () => Framed(KafkaConnection.Request(KafkaRequests.Metadata, 4, 1, new WireWriter().Int32(1).Int16(30_000))),
        ["a body that ends too early"] = () => Framed(KafkaConnection.Request(KafkaRequests.Fetch, 11, 1, new WireWriter().Int32(-1).Int32(0))),
        ["HTTP"] = () => Encoding.ASCII.GetBytes("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"),
        ["TLS"] = () => [0x16, 0x03, 0x01, 0x02, 0x00, 0x01, 0x00, 0x01, 0xfc, 0x03, 0x03, .. new byte[500]],
    };

    /// <summary>Records in a Produce request (acks=all, version 8) and what becomes of them.</summary>
    public static readonly Dictionary<string, (string Outcome, Func<byte[]> Records)> Records = new()
    {
        ["a good batch"] = ("error 0", () => Good()),
        ["a wrong checksum"] = ("error 2", () => Changed(b => b[17] ^= 1, seal: false)),
        ["a changed byte"] = ("error 2", () => Changed(b => b[^1] ^= 1, seal: false)),
        ["a batch length beyond the bytes"] = ("error 87", () => Changed(b => Put(b, 8, b.Length - 12 + 100))),
        ["a batch length short of the bytes"] = ("error 2", () => Changed(b => Put(b, 8, b.Length - 12 - 5))),
        ["a negative batch length"] = ("error 2", () => Changed(b => Put(b, 8, -1))),
        ["a batch length below the header"] = ("error 2", () => Changed(b => Put(b, 8, 10))),
        ["a batch length of 2 GB"] = ("error -1", () => Changed(b => Put(b, 8, int.MaxValue))),
        ["no bytes at all"] = ("error 87", () => []),
        ["bytes that are no batch"] = ("error 2", () => Encoding.ASCII.GetBytes(new string('x', 200))),
        ["magic 0"] = ("error 87", () => Changed(b => b[16] = 0)),
        ["magic 1"] = ("error 87", () => Changed(b => b[16] = 1)),
        ["magic 3"] = ("error 2", () => Changed(b => b[16] = 3)),
        ["more records counted than there are"] = ("error 87", () => Changed(b => { Put(b, 57, 5); Put(b, 23, 4); })),
        ["fewer records counted than there are"] = ("error 87", () => Changed(b => { Put(b, 57, 1); Put(b, 23, 0); })),
        ["a negative count"] = ("error 87", () => Changed(b => Put(b, 57, -1))),
        ["a count of none"] = ("error 87", () => Changed(b => Put(b, 57, 0))),
        ["a count of 2 billion"] = ("error 87", () => Changed(b => { Put(b, 57, int.MaxValue); Put(b, 23, int.MaxValue - 1); })),
        ["a last offset delta that does not fit the count"] = ("error 87", () => Changed(b => Put(b, 23, 7))),
        ["a record longer than the batch"] = ("error 87", () => Changed(b => b[61] = 0x7e)),
        ["a record of negative length"] = ("error 87", () => Changed(b => b[61] = 1)),
        ["a key longer than its record"] = ("error 87", () => Changed(b => b[65] = 0x7e)),
        ["a control batch"] = ("error 87", () => Changed(b => b[22] |= 0x20)),
        ["a codec that does not exist"] = ("error -1", () => Changed(b => b[22] |= 7)),
        ["two batches"] = ("error 87", () => [.. Good(), .. Good()]),
        ["a batch and half a batch"] = ("error 0", () => [.. Good(), .. Good()[..30]]),
        ["a timestamp in the far future"] = ("error 32", () => RecordBatch.Build([new WireRecord(null, "v"u8.ToArray(), 32_503_680_000_000)])),
        ["a negative timestamp"] = ("error 0", () => RecordBatch.Build([new WireRecord(null, "v"u8.ToArray(), -7)])),
        ["a sequence without a producer"] = ("error 0", () => RecordBatch.Build([new WireRecord(null, "v"u8.ToArray(), Now())], -1, -1, 5)),
        ["a producer without a sequence"] = ("error 87", () => RecordBatch.Build([new WireRecord(null, "v"u8.ToArray(), Now())], 123_456, 0, -1)),
        ["an unknown producer that starts late"] = ("error 0", () => RecordBatch.Build([new WireRecord(null, "v"u8.ToArray(), Now())], 987_654, 0, 17)),
        ["a transactional batch outside a transaction"] = ("error 53", () => Changed(b => b[22] |= 0x10)),
    };

    /// <summary>Where ours answers something else, and why.</summary>
    public static readonly Dictionary<string, string> Ours = new()
    {
        // Kafka's sum of offset and length overflows, and it answers UNKNOWN_SERVER_ERROR for its own mistake.
        ["a batch length of 2 GB"] = "error 87",
        // TRANSACTIONAL_ID_AUTHORIZATION_FAILED comes with transactions; INVALID_TXN_STATE refuses it until then.
        ["a transactional batch outside a transaction"] = "error 48",
    };

    /// <summary>Whole requests that are well formed and wrong.</summary>
    public static readonly Dictionary<string, (string Outcome, Func<WireWriter> Body)> Produces = new()
    {
        ["an unknown topic"] = ("error 3", () => KafkaRequests.ProduceBody("no-such-topic", 0, Good())),
        ["an unknown partition"] = ("error 3", () => KafkaRequests.ProduceBody(Topic, 99, Good())),
        ["a negative partition"] = ("error 3", () => KafkaRequests.ProduceBody(Topic, -1, Good())),
        ["acks of 7"] = ("error 21", () => KafkaRequests.ProduceBody(Topic, 0, Good(), acks: 7)),
        ["a batch over max.message.bytes"] = ("error 10", () => KafkaRequests.ProduceBody(Small, 0, RecordBatch.Build([new WireRecord(null, new byte[2000], Now())]))),
    };

    public static byte[] Good() => RecordBatch.Build([new WireRecord("k"u8.ToArray(), "first"u8.ToArray(), Now()), new WireRecord("k"u8.ToArray(), "second"u8.ToArray(), Now())]);

    public static byte[] Framed(WireWriter request) => [.. Int32(request.Bytes.Length), .. request.Bytes.Span];

    private static byte[] Changed(Action<byte[]> change, bool seal = true)
    {
        var batch = Good();
        change(batch);
        return seal ? RecordBatch.Seal(batch) : batch;
    }

    private static void Put(byte[] bytes, int at, int value) => BinaryPrimitives.WriteInt32BigEndian(bytes.AsSpan(at), value);
    private static byte[] Int32(int value) { var bytes = new byte[4]; Put(bytes, 0, value); return bytes; }
    private static long Now() => DateTimeOffset.UtcNow.ToUnixTimeMilliseconds();
}
