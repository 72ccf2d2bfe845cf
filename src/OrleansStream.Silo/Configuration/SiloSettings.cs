using System.Globalization;
using System.Net;
using System.Net.Sockets;
using OrleansStream.Hosting.Configuration;
using OrleansStream.Silo.Membership;

namespace OrleansStream.Silo.Configuration;

/// <summary>How silos find each other.</summary>
public enum Clustering
{
    /// <summary>There is one silo.</summary>
    Localhost,

    /// <summary>A table in the store that has the data: a folder for silos on one machine, a blob container for any.</summary>
    Store,
}

/// <summary>The settings that only a silo has.</summary>
public sealed record SiloSettings(Clustering Clustering, string ClusterId, string ServiceId, IPAddress Advertised, int SiloPort, int GatewayPort)
{
    /// <summary>Whether clients reach the silos at one address only: they are shown one broker, and what another silo leads is forwarded to it.</summary>
    public bool OneAddress { get; init; }

    private static readonly ProcessOption ClusteringOption = new("clustering", "localhost",
        "How silos find each other: localhost (there is one) or store (a table in the store that has the data, whose journals are then there, too).");

    private static readonly ProcessOption ClusterIdOption = new("orleans.cluster.id", "ostream",
        "Orleans' cluster id: silos and clients of one cluster have the same. Letters, digits, dots, dashes and underscores.");

    private static readonly ProcessOption ServiceIdOption = new("orleans.service.id", "ostream", "Orleans' service id, which grain storage keys states by.");

    private static readonly ProcessOption AdvertisedOption = new("orleans.advertised.host", "127.0.0.1",
        "The address at which other silos and Orleans clients reach this one, and at which it listens for them.");

    private static readonly ProcessOption SiloPortOption = new("orleans.silo.port", "11111", "The port for other silos; 0: any that is free.");

    private static readonly ProcessOption GatewayPortOption = new("orleans.gateway.port", "30000",
        "The port for Orleans clients; 0: any that is free; none: this silo serves no Orleans clients.");

    private static readonly ProcessOption OneAddressOption = new("one.address", "false",
        "For silos behind one load-balanced address, which advertised.listeners of each of them names: clients see one broker there, and each silo forwards to "
        + "the others what they lead.") { IsSwitch = true };

    public static IReadOnlyList<ProcessOption> Options { get; } =
        [ClusteringOption, ClusterIdOption, ServiceIdOption, AdvertisedOption, SiloPortOption, GatewayPortOption, OneAddressOption];

    /// <summary>Silos that share a store can only take over journals that lie there.</summary>
    public static IEnumerable<KeyValuePair<string, string>> Implied(IReadOnlyDictionary<string, string?> own) =>
        own[ClusteringOption.Name] == "store" ? [new("journal.kind", "blob")] : [];

    /// <summary>Throws <see cref="UsageException"/>.</summary>
    public static SiloSettings From(ProcessSettings settings)
    {
        string Text(ProcessOption option) => settings.Own[option.Name] is { Length: > 0 } text ? text : throw new UsageException($"{option.Name} is empty");
        Clustering clustering = Text(ClusteringOption) switch
        {
            "localhost" => Clustering.Localhost,
            "store" => Clustering.Store,
            var other => throw new UsageException($"{ClusteringOption.Name} is localhost or store, not '{other}'"),
        };
        if (clustering == Clustering.Store && !settings.Broker.BlobJournal)
        {
            throw new UsageException(
                "a silo with a disk journal cannot join others, because none of them could take over what is in it: leave out journal.kind=disk, or clustering=store");
        }
        string cluster = Text(ClusterIdOption);
        if (!ObjectMembershipTable.IsClusterId(cluster))
            throw new UsageException($"{ClusterIdOption.Name} has letters, digits, dots, dashes and underscores only, not '{cluster}'");
        IPAddress advertised = Resolve(Text(AdvertisedOption));
        if (!IPAddress.IsLoopback(advertised) && !settings.Broker.AllowInsecureListeners)
        {
            throw new UsageException(
                $"{AdvertisedOption.Name} {advertised} is not a loopback address and nothing secures it: set allow.insecure.listeners=true if that is meant");
        }
        string gateway = Text(GatewayPortOption);
        return new SiloSettings(
            clustering, cluster, Text(ServiceIdOption), advertised,
            Bindable(advertised, SiloPortOption, Text(SiloPortOption)), gateway == "none" ? 0 : Bindable(advertised, GatewayPortOption, gateway))
        {
            OneAddress = bool.TryParse(Text(OneAddressOption), out bool one)
                ? one : throw new UsageException($"{OneAddressOption.Name} is true or false, not '{Text(OneAddressOption)}'"),
        };
    }

    private static IPAddress Resolve(string host)
    {
        if (IPAddress.TryParse(host, out IPAddress? address))
            return address;
        try
        {
            // Orleans' addresses are IP addresses; a name stands for its first one.
            IPAddress[] all = Dns.GetHostAddresses(host);
            return all.FirstOrDefault(static a => a.AddressFamily == AddressFamily.InterNetwork) ?? all[0];
        }
        catch (SocketException e)
        {
            throw new UsageException($"{AdvertisedOption.Name} '{host}' has no address: {e.Message}", e);
        }
    }

    /// <summary>The port, or for 0 one that is free. Orleans binds it itself, later: this is for a sentence instead of a stack trace.</summary>
    private static int Bindable(IPAddress address, ProcessOption option, string text)
    {
        if (!int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out int port) || port > IPEndPoint.MaxPort)
            throw new UsageException($"{option.Name} is a port, not '{text}'");
        try
        {
            using var probe = new Socket(address.AddressFamily, SocketType.Stream, ProtocolType.Tcp);
            probe.Bind(new IPEndPoint(address, port));
            return ((IPEndPoint)probe.LocalEndPoint!).Port;
        }
        catch (SocketException e)
        {
            throw new UsageException($"cannot listen on {option.Name} {address}:{text}: {e.Message}", e);
        }
    }
}
