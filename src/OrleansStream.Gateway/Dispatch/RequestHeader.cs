using OrleansStream.Protocol;

namespace OrleansStream.Gateway.Dispatch;

/// <summary>
/// The start of a request (Kafka's RequestHeader, versions 1 and 2), read without making an object: the client id is the same in every request of
/// a connection, so its string is kept.
/// </summary>
public sealed class RequestHeader
{
    private byte[] _clientIdBytes = [];

    public short ApiKey { get; private set; }
    public short Version { get; private set; }
    public int CorrelationId { get; private set; }
    public string? ClientId { get; private set; }

    /// <summary>Reads what every version has. The rest follows with <see cref="ReadClient"/>, once the API is known.</summary>
    public void ReadStart(ref KafkaReader reader)
    {
        ApiKey = reader.ReadInt16();
        Version = reader.ReadInt16();
        CorrelationId = reader.ReadInt32();
    }

    public void ReadClient(ref KafkaReader reader, bool flexible)
    {
        // The client id keeps its short length in the flexible header too (KIP-482).
        int length = reader.ReadInt16();
        if (length < -1)
            throw new ProtocolException($"a client id of {length} bytes");
        if (length < 0)
            ClientId = null;
        else
            ReadClientId(ref reader, length);
        if (flexible)
            reader.SkipTaggedFields();
    }

    private void ReadClientId(ref KafkaReader reader, int length)
    {
        if (length > reader.Remaining)
            throw new ProtocolException($"a client id of {length} bytes with {reader.Remaining} left");
        Span<byte> bytes = length <= 256 ? stackalloc byte[length] : new byte[length];
        reader.ReadInto(bytes);
        if (ClientId is not null && bytes.SequenceEqual(_clientIdBytes))
            return;
        _clientIdBytes = bytes.ToArray();
        ClientId = System.Text.Encoding.UTF8.GetString(bytes);
    }
}
