using System.Net;
using OrleansStream.Broker.Configuration;

namespace OrleansStream.Hosting.Data;

/// <summary>A blob container: how its account is reached, and its name.</summary>
public sealed record ContainerAddress(string Connection, string Container, string Host)
{
    /// <summary>From storage.url or storage.connection.string; null where neither is set.</summary>
    public static ContainerAddress? From(BrokerSettings settings)
    {
        if (settings.StorageUrl is { } url && Uri.TryCreate(url, UriKind.Absolute, out Uri? address) && address.Scheme is "http" or "https")
            return FromUrl(address, settings.StorageContainer);
        string? connection = settings.StorageConnectionString ?? settings.StorageUrl;
        return connection is null ? null : new ContainerAddress(connection, settings.StorageContainer, "the account of the connection string");
    }

    public override string ToString() => $"container '{Container}' at {Host}";

    /// <summary>
    /// The URL of an account, with or without a container behind it. Azure has the account in the host's name, Azurite and others in the path.
    /// </summary>
    private static ContainerAddress FromUrl(Uri url, string defaultContainer)
    {
        string[] path = url.AbsolutePath.Split('/', StringSplitOptions.RemoveEmptyEntries);
        bool accountInPath = IPAddress.TryParse(url.Host, out _) || !url.Host.Contains('.');
        int before = accountInPath ? 1 : 0;
        string account = url.GetLeftPart(UriPartial.Authority) + (accountInPath && path.Length > 0 ? "/" + path[0] : "") + url.Query;
        return new ContainerAddress(account, path.Length > before ? path[before] : defaultContainer, url.Host);
    }
}
