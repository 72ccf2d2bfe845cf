using System.Collections;
using System.Net;
using System.Net.Sockets;
using OrleansStream.Hosting.Configuration;
using OrleansStream.Silo.Configuration;
using OrleansStream.Silo.Hosting;

namespace OrleansStream.Silo.Tests.Configuration;

public sealed class SiloSettingsTests
{
    private static readonly SiloKind Kind = new();

    [Fact]
    public void A_silo_is_alone_unless_told_otherwise_and_has_its_journal_on_disk()
    {
        ProcessSettings settings = Gather("--orleans-silo-port", "0", "--orleans-gateway-port", "0");
        SiloSettings silo = SiloSettings.From(settings);
        Assert.Equal((Clustering.Localhost, "ostream", "ostream", IPAddress.Loopback), (silo.Clustering, silo.ClusterId, silo.ServiceId, silo.Advertised));
        Assert.NotEqual(0, silo.SiloPort);
        Assert.NotEqual(0, silo.GatewayPort);
        Assert.False(settings.Broker.BlobJournal);
        Assert.False(Kind.SharesData(settings));
    }

    [Fact]
    public void Silos_that_share_a_store_have_their_journals_there()
    {
        ProcessSettings settings = Gather("--clustering", "store", "--orleans-silo-port", "0", "--orleans-gateway-port", "none");
        Assert.True(settings.Broker.BlobJournal);
        Assert.True(Kind.SharesData(settings));
        Assert.Equal(0, SiloSettings.From(settings).GatewayPort);
    }

    [Fact]
    public void A_silo_forwards_where_that_is_asked_for()
    {
        string[] ports = ["--orleans-silo-port", "0", "--orleans-gateway-port", "none"];
        Assert.False(SiloSettings.From(Gather(ports)).OneAddress);
        Assert.True(SiloSettings.From(Gather([.. ports, "--one-address"])).OneAddress);
    }

    [Theory]
    [InlineData("a silo with a disk journal cannot join others", "--clustering=store", "--journal-kind=disk")]
    [InlineData("clustering is localhost or store", "--clustering=cloud")]
    [InlineData("orleans.cluster.id", "--orleans-cluster-id=a/b")]
    [InlineData("orleans.service.id is empty", "--orleans-service-id=")]
    [InlineData("orleans.silo.port is a port", "--orleans-silo-port=x")]
    [InlineData("one.address is true or false", "--one-address=balancer", "--orleans-silo-port=0", "--orleans-gateway-port=none")]
    [InlineData("allow.insecure.listeners", "--orleans-advertised-host=192.0.2.1")]
    public void What_contradicts_itself_is_said(string sentence, params string[] options) =>
        Assert.Contains(sentence, Assert.Throws<UsageException>(() => SiloSettings.From(Gather(options))).Message, StringComparison.Ordinal);

    [Fact]
    public void A_port_in_use_is_said()
    {
        using var taken = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        taken.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        taken.Listen();
        string port = ((IPEndPoint)taken.LocalEndPoint!).Port.ToString();
        Assert.Contains(
            $"cannot listen on orleans.silo.port 127.0.0.1:{port}",
            Assert.Throws<UsageException>(() => SiloSettings.From(Gather("--orleans-silo-port", port))).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Help_names_the_settings_of_a_silo() =>
        Assert.All(SiloSettings.Options, o => Assert.Contains($"; {o.Name})", HelpText.Make(Kind.Program), StringComparison.Ordinal));

    private static ProcessSettings Gather(params string[] args) =>
        ProcessSettings.Gather(CommandLine.Parse(args, Kind.Program), new Hashtable(), Kind.Program);
}
