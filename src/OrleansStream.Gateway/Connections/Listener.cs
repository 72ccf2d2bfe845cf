using System.Net;

namespace OrleansStream.Gateway.Connections;

/// <summary>What protects a listener (Kafka's security protocols). Only PLAINTEXT exists so far.</summary>
public enum SecurityProtocol
{
    Plaintext = 0,
    Ssl = 1,
    SaslPlaintext = 2,
    SaslSsl = 3,
}

/// <summary>An address that the gateway listens on: its name, its protection, and where.</summary>
public sealed record Listener(string Name, SecurityProtocol Protocol, IPEndPoint EndPoint);

/// <summary>Who sends the requests of a connection.</summary>
public sealed record Principal(string Type, string Name)
{
    /// <summary>The principal of a connection that has not been authenticated.</summary>
    public static readonly Principal Anonymous = new("User", "ANONYMOUS");

    public override string ToString() => $"{Type}:{Name}";
}

/// <summary>What all requests of a connection share.</summary>
public sealed record Peer(Listener Listener, Principal Principal, string Address);
