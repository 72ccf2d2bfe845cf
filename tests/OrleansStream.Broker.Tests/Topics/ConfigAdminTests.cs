using OrleansStream.Broker.Topics;
using static OrleansStream.Broker.Topics.ConfigOperation;
using static OrleansStream.Broker.Topics.ConfigResourceType;

namespace OrleansStream.Broker.Tests.Topics;

/// <summary>Every sentence and value here was given by Apache Kafka 4.3.1 to the same request.</summary>
public sealed class ConfigAdminTests
{
    [Theory]
    [InlineData("nope", "1", "Unknown topic config name: nope")]
    [InlineData("", "x", "Unknown topic config name: ")]
    [InlineData("message.format.version", "3.0", "Unknown topic config name: message.format.version")]
    [InlineData("retention.ms", "abc", "Invalid value abc for configuration retention.ms: Not a number of type LONG")]
    [InlineData("retention.ms", "", "Invalid value  for configuration retention.ms: Not a number of type LONG")]
    [InlineData("retention.ms", "1e3", "Invalid value 1e3 for configuration retention.ms: Not a number of type LONG")]
    [InlineData("retention.ms", "99999999999999999999", "Invalid value 99999999999999999999 for configuration retention.ms: Not a number of type LONG")]
    [InlineData("retention.ms", "-2", "Invalid value -2 for configuration retention.ms: Value must be at least -1")]
    [InlineData("retention.ms", "+5", null)]
    [InlineData("retention.bytes", "-5", null)]
    [InlineData("segment.bytes", "3000000000", "Invalid value 3000000000 for configuration segment.bytes: Not a number of type INT")]
    [InlineData("segment.bytes", "10", "Invalid value 10 for configuration segment.bytes: Value must be at least 1048576")]
    [InlineData("segment.bytes", " 2097152 ", null)]
    [InlineData("internal.segment.bytes", "1000", null)]
    [InlineData("cleanup.policy", "foo", "Invalid value foo for configuration cleanup.policy: String must be one of: compact, delete")]
    [InlineData("cleanup.policy", "DELETE", "Invalid value DELETE for configuration cleanup.policy: String must be one of: compact, delete")]
    [InlineData("cleanup.policy", "", null)]
    [InlineData("cleanup.policy", "delete,delete", null)]
    [InlineData("compression.type", "none", "Invalid value none for configuration compression.type: String must be one of: uncompressed, zstd, lz4, snappy, gzip, producer")]
    [InlineData("compression.gzip.level", "0", "Invalid value 0 for configuration compression.gzip.level: Value must be between 1 and 9 or equal to -1")]
    [InlineData("compression.gzip.level", "-1", null)]
    [InlineData("compression.lz4.level", "18", "Invalid value 18 for configuration compression.lz4.level: Value must be no more than 17")]
    [InlineData("compression.zstd.level", "-131073", "Invalid value -131073 for configuration compression.zstd.level: Value must be at least -131072")]
    [InlineData("min.cleanable.dirty.ratio", "1.5", "Invalid value 1.5 for configuration min.cleanable.dirty.ratio: Value must be no more than 1")]
    [InlineData("min.cleanable.dirty.ratio", "-1", "Invalid value -1.0 for configuration min.cleanable.dirty.ratio: Value must be at least 0")]
    [InlineData("min.cleanable.dirty.ratio", "a", "Invalid value a for configuration min.cleanable.dirty.ratio: Not a number of type DOUBLE")]
    [InlineData("preallocate", "yes", "Invalid value yes for configuration preallocate: Expected value to be either true or false")]
    [InlineData("preallocate", "TRUE", null)]
    [InlineData("follower.replication.throttled.replicas", "none", "Invalid value [none] for configuration follower.replication.throttled.replicas: follower.replication.throttled.replicas must be the literal '*' or a list of replicas in the following format: [partitionId]:[brokerId],[partitionId]:[brokerId],...")]
    [InlineData("follower.replication.throttled.replicas", "0:1,1:1", null)]
    [InlineData("follower.replication.throttled.replicas", "*", null)]
    [InlineData("remote.storage.enable", "true", "Tiered Storage functionality is disabled in the broker. Topic cannot be configured with remote log storage.")]
    [InlineData("message.timestamp.type", "x", "Invalid value x for configuration message.timestamp.type: String must be one of: CreateTime, LogAppendTime")]
    public async Task Checks_a_topic_config(string name, string value, string? refusal)
    {
        var fixture = await AdminFixture.OpenAsync();
        var expected = refusal is null ? "ok" : $"InvalidConfig: {refusal}";
        Assert.Equal(expected, await fixture.CreateAsync(AdminFixture.Topic("created", 1, 1, $"{name}={value}")));
        await fixture.CreateAsync(AdminFixture.Topic("base"));
        Assert.Equal(expected, await fixture.AlterAsync(Topic, "base", (name, Set, value)));
    }

    [Fact]
    public async Task Checks_what_contradicts_each_other_and_what_is_null()
    {
        var fixture = await AdminFixture.OpenAsync();
        Assert.Equal("InvalidConfig: conflict topic config setting min.compaction.lag.ms (100) > max.compaction.lag.ms (50)",
            await fixture.CreateAsync(AdminFixture.Topic("t", 1, 1, "min.compaction.lag.ms=100", "max.compaction.lag.ms=50")));
        var withNull = new NewTopic("t", 1, 1, [], new Dictionary<string, string?> { ["retention.ms"] = null });
        Assert.Equal("InvalidConfig: Null value not supported for topic configs: retention.ms", await fixture.CreateAsync(withNull));
    }

    [Fact]
    public async Task Appends_and_subtracts()
    {
        var fixture = await AdminFixture.OpenAsync();
        await fixture.CreateAsync(AdminFixture.Topic("base"));
        async Task Step(ConfigOperation operation, string? value, string answer, string after)
        {
            Assert.Equal(answer, await fixture.AlterAsync(Topic, "base", ("cleanup.policy", operation, value)));
            Assert.Equal(after, await fixture.DescribeAsync(Topic, "base", "cleanup.policy"));
        }
        const string own = "[cleanup.policy={0}@DynamicTopic;log.cleanup.policy=delete@Default;]";
        string Own(string value) => $"{value}@DynamicTopic {own.Replace("{0}", value, StringComparison.Ordinal)}";
        await Step(Append, "compact", "ok", Own("delete,compact"));
        await Step(Append, "compact", "ok", Own("delete,compact"));
        await Step(Subtract, "delete", "ok", Own("compact"));
        await Step(Subtract, "compact", "ok", Own(""));
        await Step(Append, "foo", "InvalidConfig: Invalid value foo for configuration cleanup.policy: String must be one of: compact, delete", Own(""));
        await Step(Subtract, "foo", "ok", Own(""));
        await Step(Append, "delete,compact", "ok", Own("delete,compact"));
        await Step(Delete, null, "ok", "delete@Default [log.cleanup.policy=delete@Default;]");
        await Step(Append, "", "InvalidConfig: Configuration 'cleanup.policy' values must not be empty.", "delete@Default [log.cleanup.policy=delete@Default;]");
        await Step(Append, null, "InvalidRequest: Null value not supported for : cleanup.policy", "delete@Default [log.cleanup.policy=delete@Default;]");
    }

    [Fact]
    public async Task Refuses_what_is_malformed()
    {
        var fixture = await AdminFixture.OpenAsync();
        await fixture.CreateAsync(AdminFixture.Topic("base"));
        Assert.Equal("UnknownTopicOrPartition: The topic 'nothere' does not exist.", await fixture.AlterAsync(Topic, "nothere", ("retention.ms", Set, "1")));
        Assert.Equal("InvalidRequest: Default topic resources are not allowed.", await fixture.AlterAsync(Topic, "", ("retention.ms", Set, "1")));
        Assert.StartsWith("InvalidTopicException: Topic name is invalid", await fixture.AlterAsync(Topic, "a b", ("retention.ms", Set, "1")), StringComparison.Ordinal);
        Assert.Equal("InvalidConfig: Can't APPEND to key retention.ms because its type is not LIST.", await fixture.AlterAsync(Topic, "base", ("retention.ms", Append, "5")));
        Assert.Equal("InvalidConfig: Can't SUBTRACT to key nope because its type is not LIST.", await fixture.AlterAsync(Topic, "base", ("nope", Subtract, "5")));
        Assert.Equal("ok", await fixture.AlterAsync(Topic, "base", ("nope", Delete, null)));
        Assert.Equal("InvalidRequest: Error due to duplicate config keys",
            await fixture.AlterAsync(Topic, "base", ("retention.ms", Set, "1"), ("retention.ms", Delete, null)));
        Assert.Equal("604800000@Default []", await fixture.DescribeAsync(Topic, "base", "retention.ms"));
        Assert.Equal("ok", await fixture.AlterAsync(Topic, "base", ("segment.bytes", Set, " 2097152 "), ("preallocate", Set, "TRUE")));
        Assert.StartsWith("2097152@DynamicTopic", await fixture.DescribeAsync(Topic, "base", "segment.bytes"), StringComparison.Ordinal);
        Assert.StartsWith("true@DynamicTopic", await fixture.DescribeAsync(Topic, "base", "preallocate"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_broker_setting_changes_for_one_broker_or_all_and_reaches_the_topics()
    {
        var fixture = await AdminFixture.OpenAsync();
        await fixture.CreateAsync(AdminFixture.Topic("base"));
        Assert.Equal("ok", await fixture.AlterAsync(ConfigResourceType.Broker, "1", ("log.retention.ms", Set, "7200000")));
        Assert.Equal("ok", await fixture.AlterAsync(ConfigResourceType.Broker, "", ("log.retention.ms", Set, "3600000")));
        const string three = "[log.retention.ms=7200000@DynamicBroker;log.retention.ms=3600000@DynamicDefaultBroker;log.retention.hours=168@Default;]";
        Assert.Equal($"7200000@DynamicBroker {three}", await fixture.DescribeAsync(ConfigResourceType.Broker, "1", "log.retention.ms"));
        Assert.Equal($"7200000@DynamicBroker {three}", await fixture.DescribeAsync(Topic, "base", "retention.ms"));
        Assert.Equal("3600000@DynamicDefaultBroker [log.retention.ms=3600000@DynamicDefaultBroker;]", await fixture.DescribeAsync(ConfigResourceType.Broker, "", "log.retention.ms"));
        Assert.Equal(7_200_000, fixture.View.Current.TopicsByName["base"].Config.RetentionMs);
        var restarted = await AdminFixture.OpenAsync(fixture.Store);
        Assert.Equal(7_200_000, restarted.View.Current.TopicsByName["base"].Config.RetentionMs);
        Assert.Equal("ok", await fixture.AlterAsync(ConfigResourceType.Broker, "1", ("log.retention.ms", Delete, null)));
        Assert.Equal(3_600_000, fixture.View.Current.TopicsByName["base"].Config.RetentionMs);
        Assert.Equal("ok", await fixture.AlterAsync(ConfigResourceType.Broker, "", ("log.retention.ms", Delete, null)));
        Assert.Equal("@Default []", await fixture.DescribeAsync(ConfigResourceType.Broker, "1", "log.retention.ms"));
        Assert.Equal("168@Default [log.retention.hours=168@Default;]", await fixture.DescribeAsync(ConfigResourceType.Broker, "1", "log.retention.hours"));
        Assert.Equal("604800000@Default []", await fixture.DescribeAsync(Topic, "base", "retention.ms"));
    }

    [Theory]
    [InlineData("1", "node.id", Set, "4", "InvalidRequest: Cannot update these configs dynamically: [node.id]")]
    [InlineData("1", "num.partitions", Set, "4", "InvalidRequest: Cannot update these configs dynamically: [num.partitions]")]
    [InlineData("", "listeners", Set, "x", "InvalidRequest: Cannot update these configs at default cluster level, broker id must be specified: [listeners]")]
    [InlineData("", "ssl.keystore.location", Set, "/x", "InvalidRequest: These security configs can be dynamically updated only per-listener using the listener prefix: [ssl.keystore.location]")]
    [InlineData("1", "log.retention.ms", Set, "abc", "InvalidRequest: Invalid value abc for configuration log.retention.ms: Not a number of type LONG")]
    [InlineData("1", "log.segment.bytes", Set, "10", "InvalidRequest: Invalid value 10 for configuration log.segment.bytes: Value must be at least 1048576")]
    [InlineData("1", "log.retention.ms", Append, "5", "InvalidConfig: Config value append is not allowed for config key: log.retention.ms")]
    [InlineData("1", "nope", Set, "1", "ok")]
    [InlineData("1", "leader.replication.throttled.rate", Set, "5", "ok")]
    [InlineData("1", "listener.name.plaintext.max.connections", Set, "10", "ok")]
    [InlineData("1", "max.connections.per.ip", Set, "10", "ok")]
    public async Task Checks_a_broker_setting(string broker, string name, ConfigOperation operation, string value, string expected)
    {
        var fixture = await AdminFixture.OpenAsync();
        Assert.Equal(expected, await fixture.AlterAsync(ConfigResourceType.Broker, broker, (name, operation, value)));
    }

    [Fact]
    public async Task A_broker_setting_that_nobody_defines_is_kept_and_shown_without_its_value()
    {
        var fixture = await AdminFixture.OpenAsync();
        Assert.Equal("ok", await fixture.AlterAsync(ConfigResourceType.Broker, "", ("nope", Set, "secret")));
        Assert.Equal("ok", await fixture.AlterAsync(ConfigResourceType.Broker, "1", ("nope.too", Set, "secret")));
        Assert.Equal("@DynamicDefaultBroker [nope=@DynamicDefaultBroker;]", await fixture.DescribeAsync(ConfigResourceType.Broker, "", "nope"));
        Assert.Equal("@DynamicBroker [nope.too=@DynamicBroker;]", await fixture.DescribeAsync(ConfigResourceType.Broker, "1", "nope.too"));
        var (_, entries) = await fixture.Admin.DescribeConfigsAsync(ConfigResourceType.Broker, "1", ["nope", "nope.too"], CancellationToken.None);
        Assert.Equal(2, entries.Count);
        Assert.All(entries, e => Assert.Equal((true, null, ConfigType.Unknown), (e.Sensitive, e.Value, e.Type)));
    }

    [Fact]
    public async Task Describes_what_is_not_there_as_Kafka_does()
    {
        var fixture = await AdminFixture.OpenAsync();
        async Task<int> Count(ConfigResourceType type, string name) => (await fixture.Admin.DescribeConfigsAsync(type, name, null, CancellationToken.None)).Entries.Count;
        Assert.Equal("UnknownTopicOrPartition: ", await fixture.DescribeAsync(Topic, "nothere", "x"));
        Assert.Equal("InvalidTopicException: Topic name is invalid: the empty string is not allowed", await fixture.DescribeAsync(Topic, "", "x"));
        Assert.Equal(0, await Count(ConfigResourceType.Broker, ""));
        Assert.Equal(340, (await fixture.Admin.DescribeConfigsAsync(ConfigResourceType.Broker, "1", null, CancellationToken.None)).Entries
            .Count(e => !Configuration.OwnNames.All.Contains(e.Name)));
        Assert.Equal(3, await Count(ClientMetrics, "sub"));
        Assert.Equal(17, await Count(Group, "g"));
        Assert.Equal("InvalidRequest: Client metrics subscription name must not be empty", await fixture.DescribeAsync(ClientMetrics, "", "x"));
        Assert.Equal("InvalidRequest: Group name must not be empty", await fixture.DescribeAsync(Group, "", "x"));
        Assert.Equal("45000@Default [group.consumer.session.timeout.ms=45000@Default;]", await fixture.DescribeAsync(Group, "g", "consumer.session.timeout.ms"));
        Assert.Equal("latest@Default [share.auto.offset.reset=latest@Default;]", await fixture.DescribeAsync(Group, "g", "share.auto.offset.reset"));
        Assert.Equal("300000@Default []", await fixture.DescribeAsync(ClientMetrics, "sub", "interval.ms"));
    }

    [Fact]
    public async Task Groups_and_subscriptions_keep_their_values()
    {
        var fixture = await AdminFixture.OpenAsync();
        Assert.Equal("ok", await fixture.AlterAsync(ClientMetrics, "sub", ("interval.ms", Set, "1000"), ("metrics", Set, "a,b")));
        Assert.Equal("1000@ClientMetrics [interval.ms=1000@ClientMetrics;]", await fixture.DescribeAsync(ClientMetrics, "sub", "interval.ms"));
        Assert.Equal("InvalidRequest: Unknown client metrics configuration: nope", await fixture.AlterAsync(ClientMetrics, "sub", ("nope", Set, "1")));
        Assert.Equal("InvalidRequest: Invalid value 1 for interval.ms, interval must be between 100 and 3600000 (1 hour)",
            await fixture.AlterAsync(ClientMetrics, "sub", ("interval.ms", Set, "1")));
        Assert.Equal("InvalidConfig: Illegal client matching pattern: bogus", await fixture.AlterAsync(ClientMetrics, "sub", ("match", Set, "bogus")));
        Assert.Equal("ok", await fixture.AlterAsync(Group, "g", ("consumer.session.timeout.ms", Set, "50000")));
        Assert.Equal("InvalidConfig: Unknown group config name: nope", await fixture.AlterAsync(Group, "g", ("nope", Set, "1")));
        Assert.Equal("InvalidConfig: consumer.session.timeout.ms must be greater than or equal to group.consumer.min.session.timeout.ms",
            await fixture.AlterAsync(Group, "g", ("consumer.session.timeout.ms", Set, "1")));
        Assert.Equal("InvalidRequest: Default group resources are not allowed.", await fixture.AlterAsync(Group, "", ("consumer.session.timeout.ms", Set, "1")));
        var restarted = await AdminFixture.OpenAsync(fixture.Store);
        Assert.Equal(["g"], restarted.Admin.ConfiguredResources(Group));
        Assert.Equal(["sub"], restarted.Admin.ConfiguredResources(ClientMetrics));
        Assert.StartsWith("50000@Group", await restarted.DescribeAsync(Group, "g", "consumer.session.timeout.ms"), StringComparison.Ordinal);
        Assert.Equal("ok", await restarted.AlterAsync(Group, "g", ("consumer.session.timeout.ms", Delete, "")));
        Assert.Empty(restarted.Admin.ConfiguredResources(Group));
    }

    [Fact]
    public async Task A_group_s_values_fit_the_broker_s_bounds_and_each_other()
    {
        var fixture = await AdminFixture.OpenAsync(null, "group.streams.max.heartbeat.interval.ms=55000");
        const string heartbeat = "streams.heartbeat.interval.ms", session = "streams.session.timeout.ms";
        const string tooShort = $"InvalidConfig: {session} must be greater than {heartbeat}";
        Assert.Equal($"InvalidConfig: {heartbeat} must be less than or equal to group.streams.max.heartbeat.interval.ms", await fixture.AlterAsync(Group, "s", (heartbeat, Set, "100000")));
        // The other one is the broker's default, or set with it, or gone.
        Assert.Equal(tooShort, await fixture.AlterAsync(Group, "s", (heartbeat, Set, "45000")));
        Assert.Equal("ok", await fixture.AlterAsync(Group, "s", (heartbeat, Set, "44999")));
        Assert.Equal(tooShort, await fixture.AlterAsync(Group, "s", (session, Set, "55000"), (heartbeat, Set, "55000")));
        Assert.Equal("ok", await fixture.AlterAsync(Group, "s", (session, Set, "55001"), (heartbeat, Set, "55000")));
        Assert.Equal(tooShort, await fixture.AlterAsync(Group, "s", (session, Delete, null)));
        Assert.Equal("InvalidConfig: streams.num.standby.replicas must be less than or equal to group.streams.max.standby.replicas",
            await fixture.AlterAsync(Group, "s", ("streams.num.standby.replicas", Set, "3")));
        Assert.Equal("ok", await fixture.AlterAsync(Group, "s", ("streams.num.standby.replicas", Set, "2")));
    }
}
