using OrleansStream.Broker.Topics;
using OrleansStream.Protocol;

namespace OrleansStream.Broker.Tests.Topics;

/// <summary>Every sentence here was given by Apache Kafka 4.3.1 to the same request, unless the test's name says otherwise.</summary>
public sealed class TopicAdminTests
{
    [Theory]
    [InlineData("", "InvalidTopicException: Topic name is invalid: the empty string is not allowed")]
    [InlineData(".", "InvalidTopicException: Topic name is invalid: '.' is not allowed")]
    [InlineData("..", "InvalidTopicException: Topic name is invalid: '..' is not allowed")]
    [InlineData("a b", "InvalidTopicException: Topic name is invalid: 'a b' contains one or more characters other than ASCII alphanumerics, '.', '_' and '-'")]
    [InlineData("a/ü", "InvalidTopicException: Topic name is invalid: 'a/ü' contains one or more characters other than ASCII alphanumerics, '.', '_' and '-'")]
    [InlineData("col_li.de", "InvalidTopicException: Topic 'col_li.de' collides with existing topic: col.li_de")]
    [InlineData("col.li_de", "TopicAlreadyExists: Topic 'col.li_de' already exists.")]
    [InlineData("__cluster_metadata", "InvalidRequest: Creation of internal topic __cluster_metadata is prohibited.")]
    public async Task Refuses_a_name(string name, string expected)
    {
        var fixture = await AdminFixture.OpenAsync();
        Assert.Equal("ok", await fixture.CreateAsync(AdminFixture.Topic("col.li_de")));
        Assert.Equal(expected, await fixture.CreateAsync(AdminFixture.Topic(name)));
    }

    [Fact]
    public async Task Takes_249_characters_and_no_more()
    {
        var fixture = await AdminFixture.OpenAsync();
        Assert.Equal("ok", await fixture.CreateAsync(AdminFixture.Topic(new string('x', 249))));
        Assert.Equal($"InvalidTopicException: Topic name is invalid: the length of '{new string('x', 250)}' is longer than the max allowed length 249",
            await fixture.CreateAsync(AdminFixture.Topic(new string('x', 250))));
    }

    [Theory]
    [InlineData(0, 1, "InvalidPartitions: Number of partitions was set to an invalid non-positive value.")]
    [InlineData(-2, 1, "InvalidPartitions: Number of partitions was set to an invalid non-positive value.")]
    [InlineData(0, 9, "InvalidPartitions: Number of partitions was set to an invalid non-positive value.")]
    [InlineData(0, 0, "InvalidReplicationFactor: Replication factor must be larger than 0, or -1 to use the default value.")]
    [InlineData(1, -2, "InvalidReplicationFactor: Replication factor must be larger than 0, or -1 to use the default value.")]
    [InlineData(20000, 9, "PolicyViolation: Excessively large number of partitions per request.")]
    public async Task Refuses_a_count(int partitions, int factor, string expected)
    {
        var fixture = await AdminFixture.OpenAsync();
        Assert.Equal(expected, await fixture.CreateAsync(AdminFixture.Topic("p", partitions, factor)));
        Assert.Equal(expected.StartsWith("Policy", StringComparison.Ordinal) ? expected : "InvalidConfig: Unknown topic config name: nope",
            await fixture.CreateAsync(AdminFixture.Topic("p", partitions, factor, expected.StartsWith("Policy", StringComparison.Ordinal) ? [] : ["nope=1"])));
    }

    [Fact]
    public async Task Gives_the_defaults_for_minus_one()
    {
        var fixture = await AdminFixture.OpenAsync(null, "num.partitions=7", "default.replication.factor=3");
        var outcome = await fixture.Admin.CreateAsync(AdminFixture.Topic("p", -1, -1), validateOnly: true, CancellationToken.None);
        Assert.Equal((7, (short)3), (outcome.Topic!.Partitions.Count, outcome.Topic.ReplicationFactor));
        Assert.Equal(33, outcome.Configs.Count);
        Assert.Null(fixture.Catalogue.Find("p"));
        Assert.Empty(fixture.Store.Names);
    }

    [Fact]
    public async Task Any_replication_factor_is_remembered_unless_it_is_strict()
    {
        var loose = await AdminFixture.OpenAsync();
        Assert.Equal("ok", await loose.CreateAsync(AdminFixture.Topic("p", 1, 3)));
        Assert.Equal(3, loose.View.Current.TopicsByName["p"].ReplicationFactor);
        var strict = await AdminFixture.OpenAsync(null, "strict.replication.factor=true");
        Assert.Equal("InvalidReplicationFactor: Unable to replicate the partition 3 time(s): The target replication factor of 3 cannot be reached because only 1 broker(s) are registered or some brokers have all their log directories cordoned.",
            await strict.CreateAsync(AdminFixture.Topic("p", 1, 3)));
    }

    [Theory]
    [InlineData("0:", "The manual partition assignment includes an empty replica list.")]
    [InlineData("0:1,1", "The manual partition assignment includes the broker 1 more than once.")]
    [InlineData("0:-1", "The manual partition assignment includes broker -1, but no such broker is registered.")]
    [InlineData("1:1", "partitions should be a consecutive 0-based integer sequence")]
    [InlineData("-1:1", "partitions should be a consecutive 0-based integer sequence")]
    public async Task Refuses_an_assignment(string assignment, string expected)
    {
        var fixture = await AdminFixture.OpenAsync();
        Assert.Equal($"InvalidReplicaAssignment: {expected}", await fixture.CreateAsync(Assigned(assignment)));
    }

    [Fact]
    public async Task Brokers_that_do_not_exist_may_be_assigned_unless_it_is_strict()
    {
        var loose = await AdminFixture.OpenAsync();
        Assert.Equal("ok", await loose.CreateAsync(Assigned("0:1,2,3", "1:2,3,1")));
        var picture = loose.View.Current.TopicsByName["p"];
        Assert.Equal((2, (short)3), (picture.Partitions.Count, picture.ReplicationFactor));
        var strict = await AdminFixture.OpenAsync(null, "strict.replication.factor=true");
        Assert.Equal("InvalidReplicaAssignment: The manual partition assignment includes broker 2, but no such broker is registered.",
            await strict.CreateAsync(Assigned("0:1,2,3")));
        Assert.Equal("ok", await strict.CreateAsync(Assigned("0:1")));
    }

    [Theory]
    [InlineData(2, "InvalidPartitions: Topic already has 2 partition(s).")]
    [InlineData(1, "InvalidPartitions: The topic base currently has 2 partition(s); 1 would not be an increase.")]
    [InlineData(0, "InvalidPartitions: The topic base currently has 2 partition(s); 0 would not be an increase.")]
    [InlineData(-1, "InvalidPartitions: The topic base currently has 2 partition(s); -1 would not be an increase.")]
    [InlineData(3, "ok")]
    [InlineData(3, "InvalidReplicaAssignment: Attempted to add 1 additional partition(s), but only 0 assignment(s) were specified.", new string[0])]
    [InlineData(4, "InvalidReplicaAssignment: Attempted to add 2 additional partition(s), but only 1 assignment(s) were specified.", new[] { "1" })]
    [InlineData(3, "InvalidReplicaAssignment: The manual partition assignment includes the broker 1 more than once.", new[] { "1,1" })]
    [InlineData(3, "InvalidReplicaAssignment: The manual partition assignment includes an empty replica list.", new[] { "" })]
    [InlineData(3, "ok", new[] { "1" })]
    public async Task Adds_partitions(int count, string expected, string[]? assignments = null)
    {
        var fixture = await AdminFixture.OpenAsync();
        await fixture.CreateAsync(AdminFixture.Topic("base", 2));
        var lists = assignments?.Select(a => (IReadOnlyList<int>)[.. a.Split(',', StringSplitOptions.RemoveEmptyEntries).Select(int.Parse)]).ToList();
        Assert.Equal(expected, AdminFixture.Show(await fixture.Admin.AddPartitionsAsync("base", count, lists, true, CancellationToken.None)));
        Assert.Equal(2, fixture.View.Current.TopicsByName["base"].Partitions.Count);
        Assert.Equal(expected, AdminFixture.Show(await fixture.Admin.AddPartitionsAsync("base", count, lists, false, CancellationToken.None)));
        Assert.Equal(expected == "ok" ? count : 2, fixture.View.Current.TopicsByName["base"].Partitions.Count);
        Assert.Equal(ErrorCode.UnknownTopicOrPartition, (await fixture.Admin.AddPartitionsAsync("nothere", 3, null, true, CancellationToken.None)).Code);
    }

    [Fact]
    public async Task A_deleted_topic_is_gone_and_made_anew_under_another_id()
    {
        var fixture = await AdminFixture.OpenAsync();
        await fixture.CreateAsync(AdminFixture.Topic("t", 3));
        var old = fixture.View.Current.TopicsByName["t"];
        Assert.Equal("ok", AdminFixture.Show(await fixture.Admin.DeleteAsync(old, CancellationToken.None)));
        Assert.Empty(fixture.View.Current.TopicsByName);
        Assert.Empty(fixture.View.Current.TopicsById);
        Assert.Equal(ErrorCode.UnknownTopicOrPartition, (await fixture.Admin.DeleteAsync(old, CancellationToken.None)).Code);
        Assert.Equal("ok", await fixture.CreateAsync(AdminFixture.Topic("t", 1)));
        Assert.NotEqual(old.Id, fixture.View.Current.TopicsByName["t"].Id);
        // A client that still has the old id must not delete the new topic.
        Assert.Equal(ErrorCode.UnknownTopicOrPartition, (await fixture.Admin.DeleteAsync(old, CancellationToken.None)).Code);
        Assert.Equal([("t", new DoomedTopic(old.Id, 3))], fixture.Catalogue.Doomed());
    }

    [Fact]
    public async Task Deletion_can_be_switched_off()
    {
        var fixture = await AdminFixture.OpenAsync(null, "delete.topic.enable=false");
        await fixture.CreateAsync(AdminFixture.Topic("t"));
        Assert.Equal(ErrorCode.TopicDeletionDisabled, (await fixture.Admin.DeleteAsync(fixture.View.Current.TopicsByName["t"], CancellationToken.None)).Code);
    }

    [Fact]
    public async Task Auto_creation_gives_an_internal_topic_its_own_settings_and_is_content_with_what_is_there()
    {
        var fixture = await AdminFixture.OpenAsync(null, "offsets.topic.num.partitions=5", "offsets.topic.segment.bytes=10000");
        var outcome = await fixture.Admin.AutoCreateAsync("__consumer_offsets", CancellationToken.None);
        Assert.False(outcome.Error.Failed, outcome.Error.Message);
        var picture = fixture.View.Current.TopicsByName["__consumer_offsets"];
        Assert.True(picture.Internal && picture.Config.CleanupCompact && !picture.Config.CleanupDelete);
        Assert.Equal((5, (short)3, 10000), (picture.Partitions.Count, picture.ReplicationFactor, picture.Config.SegmentBytes));
        Assert.Equal(picture.Id, (await fixture.Admin.AutoCreateAsync("__consumer_offsets", CancellationToken.None)).Topic!.Id);
        Assert.Equal(ErrorCode.InvalidTopicException, (await fixture.Admin.AutoCreateAsync("a b", CancellationToken.None)).Error.Code);
    }

    [Fact]
    public async Task Two_thousand_topics_made_at_once_are_all_in_the_picture()
    {
        var fixture = await AdminFixture.OpenAsync();
        var outcomes = await Task.WhenAll(Enumerable.Range(0, 2000).Select(i => fixture.CreateAsync(AdminFixture.Topic($"t{i}"))));
        Assert.All(outcomes, o => Assert.Equal("ok", o));
        Assert.Equal(2000, fixture.View.Current.TopicsByName.Count);
        Assert.Equal(2000, fixture.View.Current.TopicsById.Count);
        var again = await AdminFixture.OpenAsync(fixture.Store);
        Assert.Equal(2000, again.View.Current.TopicsByName.Count);
        Assert.Equal(fixture.View.Current.TopicsByName["t77"].Id, again.View.Current.TopicsByName["t77"].Id);
    }

    private static NewTopic Assigned(params string[] assignments) => new("p", -1, -1,
        [.. assignments.Select(a => a.Split(':')).Select(a => (int.Parse(a[0]), (IReadOnlyList<int>)[.. a[1].Split(',', StringSplitOptions.RemoveEmptyEntries).Select(int.Parse)]))],
        new Dictionary<string, string?>());
}
