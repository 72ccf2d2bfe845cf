namespace OrleansStream.Protocol;

/// <summary>What every generated message can do: write itself in one of its versions.</summary>
public interface IMessage
{
    void Write(KafkaWriter w, short version);
}

/// <summary>What every generated message type knows about itself.</summary>
public interface IMessage<TSelf> : IMessage where TSelf : IMessage<TSelf>
{
    static abstract MessageInfo Info { get; }

    static abstract TSelf Read(ref KafkaReader r, short version);
}

/// <summary>Kind of a schema's message.</summary>
public enum MessageKind
{
    Request,
    Response,

    /// <summary>Neither: headers, and formats of data at rest.</summary>
    Data,
}

/// <summary>A message's schema in short.</summary>
/// <param name="Name">Kafka's name: ProduceRequest.</param>
/// <param name="ApiKey">The request's key; for data at rest the record's type; -1 where there is none.</param>
/// <param name="LowestVersion">First version that the schema describes.</param>
/// <param name="HighestVersion">Last version that the schema describes.</param>
/// <param name="FlexibleSince">First version with compact lengths and tagged fields (KIP-482); 32767 for never.</param>
public sealed record MessageInfo(MessageKind Kind, string Name, short ApiKey, short LowestVersion, short HighestVersion, short FlexibleSince)
{
    public bool IsFlexible(short version) => version >= FlexibleSince;

    /// <summary>The version of RequestHeader that goes before this request.</summary>
    public short RequestHeaderVersion(short version) => IsFlexible(version) ? (short)2 : (short)1;

    /// <summary>
    /// The version of ResponseHeader that goes before the response to this request. That of ApiVersions is always 0, so that a client can read
    /// the refusal of a version that it tried in vain (KIP-511).
    /// </summary>
    public short ResponseHeaderVersion(short version) => IsFlexible(version) && ApiKey != (short)Protocol.ApiKey.ApiVersions ? (short)1 : (short)0;
}
