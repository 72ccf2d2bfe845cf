using OrleansStream.Broker.Configuration;

namespace OrleansStream.Broker.Tests.Configuration;

public sealed class BrokerSettingsTests
{
    [Fact]
    public void With_nothing_given_the_broker_listens_on_loopback_only()
    {
        var (settings, notices) = Parse();
        Assert.Empty(notices);
        Assert.Equal("PLAINTEXT://localhost:9092", Assert.Single(settings.Listeners).ToString());
        Assert.Equal("data", settings.DataFolder);
        Assert.False(settings.BlobJournal);
        Assert.True(settings.AutoCreateTopics);
        Assert.Equal((1, 1, (short)1), (settings.NodeId, settings.NumPartitions, settings.DefaultReplicationFactor));
    }

    [Fact]
    public void A_server_properties_of_a_combined_Kafka_node_is_understood()
    {
        var (settings, notices) = Parse(
            "process.roles=broker,controller", "node.id=7", "controller.quorum.bootstrap.servers=127.0.0.1:39092",
            "listeners=PLAINTEXT://127.0.0.1:19092,CONTROLLER://127.0.0.1:39092", "advertised.listeners=PLAINTEXT://example.org:19092",
            "controller.listener.names=CONTROLLER", "log.dirs=/var/x", "num.partitions=4", "transaction.state.log.min.isr=1", "num.io.threads=8");
        Assert.Equal(7, settings.NodeId);
        Assert.Equal("PLAINTEXT://127.0.0.1:19092", Assert.Single(settings.Listeners).ToString());
        Assert.Equal("PLAINTEXT://example.org:19092", Assert.Single(settings.AdvertisedListeners).ToString());
        Assert.Equal(("/var/x", 4), (settings.DataFolder, settings.NumPartitions));
        Assert.Contains(notices, n => n.StartsWith("process.roles is accepted and has no effect: ", StringComparison.Ordinal));
        Assert.Contains(notices, n => n.StartsWith("transaction.state.log.min.isr is accepted and has no effect yet: ", StringComparison.Ordinal));
        Assert.DoesNotContain(notices, n => n.StartsWith("num.partitions", StringComparison.Ordinal));
    }

    [Fact]
    public void Everything_that_is_wrong_is_said_at_once()
    {
        var refused = Assert.Throws<SettingsException>(() => Parse("num.partition=1", "num.partitions=x", "socket.request.max.bytes=0", "auto.create.topics.enable=true"));
        Assert.Equal(
            [
                "unknown setting 'num.partition'", "Invalid value x for configuration num.partitions: Not a number of type INT",
                "Invalid value 0 for configuration socket.request.max.bytes: Value must be at least 1",
            ], refused.Errors);
    }

    [Theory]
    [InlineData("listener PLAINTEXT://0.0.0.0:9092 is not on a loopback address and nothing secures it: set allow.insecure.listeners=true if that is meant", "listeners=PLAINTEXT://0.0.0.0:9092")]
    [InlineData("listener PLAINTEXT://:9092 is not on a loopback address and nothing secures it: set allow.insecure.listeners=true if that is meant", "listeners=PLAINTEXT://:9092")]
    [InlineData("listener SSL://localhost:9092: SSL is not offered yet, only PLAINTEXT", "listeners=SSL://localhost:9092")]
    [InlineData("Invalid value X://localhost:1 for configuration listeners: No security protocol defined for listener X", "listeners=X://localhost:1")]
    [InlineData("Invalid value localhost:1 for configuration listeners: a listener is written NAME://host:port", "listeners=localhost:1")]
    [InlineData("advertised.listeners names X, which listeners does not have", "listener.security.protocol.map=PLAINTEXT:PLAINTEXT,X:PLAINTEXT", "advertised.listeners=X://h:1")]
    [InlineData("log.dirs names 2 folders; this broker keeps its data in one", "log.dirs=/a,/b")]
    [InlineData("node.id and broker.id are two names of one setting and contradict each other", "node.id=1", "broker.id=2")]
    public void A_contradiction_is_refused(string sentence, params string[] settings) => Assert.Equal([sentence], Assert.Throws<SettingsException>(() => Parse(settings)).Errors);

    [Fact]
    public void Listeners_have_names_protocols_and_IPv6_hosts()
    {
        var (settings, _) = Parse("listeners=inner://[::1]:0,OUTER://127.0.0.1:0", "listener.security.protocol.map=INNER:PLAINTEXT,OUTER:plaintext");
        Assert.Equal(["INNER://[::1]:0", "OUTER://127.0.0.1:0"], settings.Listeners.Select(l => l.ToString()));
        Assert.All(settings.Listeners, l => Assert.Equal("PLAINTEXT", l.SecurityProtocol));
    }

    [Fact]
    public void A_container_brings_a_journal_of_objects()
    {
        Assert.True(Parse("storage.url=https://x.blob.core.windows.net/c").Settings.BlobJournal);
        Assert.False(Parse("storage.url=https://x.blob.core.windows.net/c", "journal.kind=disk").Settings.BlobJournal);
        Assert.True(Parse("journal.kind=blob").Settings.BlobJournal);
    }

    [Fact]
    public void Every_default_passes_its_own_rule_and_every_synonym_exists()
    {
        foreach (var definition in BrokerConfigDefinitions.All.Values.Concat(TopicConfigDefinitions.All.Values).Concat(ConfigTable.Read("group.configs").Values))
        {
            if (definition.Default is { } text)
                Assert.Equal(text, definition.Parse(text).Text);
            if (definition.BrokerName is { } broker)
                Assert.True(BrokerConfigDefinitions.All.ContainsKey(broker), broker);
            Assert.NotEmpty(definition.Documentation);
        }
        Assert.Equal(34, TopicConfigDefinitions.All.Count);
        Assert.Equal(360, BrokerConfigDefinitions.All.Count - OwnNames.All.Count);
    }

    [Theory]
    [InlineData("log.retention.hours=1", 3_600_000)]
    [InlineData("log.retention.minutes=2", 120_000)]
    [InlineData("log.retention.hours=-1", -1)]
    [InlineData("log.retention.ms=5", 5)]
    public void The_finest_unit_counts(string setting, long expected)
    {
        var (settings, _) = Parse(setting, "log.roll.hours=2");
        var topic = TopicConfigDefinitions.Build(new Dictionary<string, string>(), settings.Layers);
        Assert.Equal((expected, 7_200_000), (topic.RetentionMs, topic.SegmentMs));
    }

    private static ParsedSettings Parse(params string[] settings) =>
        BrokerSettingsParser.Parse(settings.Select(s => s.Split('=', 2)).Select(s => new KeyValuePair<string, string>(s[0], s[1])));
}
