using OrleansStream.Broker.Topics;
using OrleansStream.Protocol;
using OrleansStream.Storage;
using OrleansStream.Storage.Ports;

namespace OrleansStream.Broker.Tests.Topics;

/// <summary>Topics outlive their process, lost answers, and a second writer.</summary>
public sealed class TopicCatalogueTests
{
    [Fact]
    public async Task Everything_about_a_topic_is_there_after_a_restart()
    {
        var first = await AdminFixture.OpenAsync();
        await first.CreateAsync(AdminFixture.Topic("kept", 5, 3, "retention.ms=1234", "cleanup.policy=compact, delete"));
        await first.CreateAsync(AdminFixture.Topic("doomed", 2));
        var doomed = first.View.Current.TopicsByName["doomed"];
        await first.Admin.DeleteAsync(doomed, CancellationToken.None);
        var second = await AdminFixture.OpenAsync(first.Store);
        var (before, after) = (first.View.Current.TopicsByName["kept"], second.View.Current.TopicsByName["kept"]);
        Assert.Equal((before.Id, 5, (short)3, 1234L), (after.Id, after.Partitions.Count, after.ReplicationFactor, after.Config.RetentionMs));
        Assert.Equal("compact,delete", after.Config.Overrides["cleanup.policy"]);
        Assert.Equal([("doomed", new DoomedTopic(doomed.Id, 2))], second.Catalogue.Doomed());
        await second.Catalogue.ForgetAsync("doomed", doomed.Id, CancellationToken.None);
        Assert.Equal(["topics/kept"], second.Store.Names);
    }

    [Fact]
    public async Task A_write_whose_answer_was_lost_counts_once()
    {
        var fixture = await AdminFixture.OpenAsync();
        var losses = 0;
        fixture.Store.LoseAnswer = _ => losses++ % 2 == 0;
        Assert.Equal("ok", await fixture.CreateAsync(AdminFixture.Topic("t")));
        Assert.Equal("ok", AdminFixture.Show(await fixture.Admin.AddPartitionsAsync("t", 2, null, false, CancellationToken.None)));
        Assert.Equal("TopicAlreadyExists: Topic 't' already exists.", await fixture.CreateAsync(AdminFixture.Topic("t")));
        Assert.Equal(2, losses);
        Assert.Equal(2, fixture.View.Current.TopicsByName["t"].Partitions.Count);
    }

    [Fact]
    public async Task Of_two_writers_one_creates_the_topic()
    {
        var one = await AdminFixture.OpenAsync();
        var two = await AdminFixture.OpenAsync(one.Store);
        Assert.Equal("ok", await one.CreateAsync(AdminFixture.Topic("t", 3)));
        Assert.Equal("TopicAlreadyExists: Topic 't' already exists.", await two.CreateAsync(AdminFixture.Topic("t", 4)));
        await two.View.PublishedAsync();
        Assert.Equal(one.View.Current.TopicsByName["t"].Id, two.View.Current.TopicsByName["t"].Id);
        // The second writer's change builds on the first one's, though it had not seen it.
        Assert.Equal("ok", await one.AlterAsync(ConfigResourceType.Topic, "t", ("retention.ms", ConfigOperation.Set, "5")));
        Assert.Equal("ok", await two.AlterAsync(ConfigResourceType.Topic, "t", ("retention.bytes", ConfigOperation.Set, "6")));
        var both = (await AdminFixture.OpenAsync(one.Store)).View.Current.TopicsByName["t"].Config;
        Assert.Equal((5, 6), (both.RetentionMs, both.RetentionBytes));
    }

    [Fact]
    public async Task While_the_store_is_away_the_answer_is_retriable_and_the_truth_is_found_afterwards()
    {
        var fixture = await AdminFixture.OpenAsync();
        var away = false;
        fixture.Store.LoseAnswer = _ => away = true;
        fixture.Store.BeforeCall = (operation, _) => away && operation == "read" ? throw new StoreUnavailableException("away") : ValueTask.CompletedTask;
        Assert.StartsWith("RequestTimedOut: ", await fixture.CreateAsync(AdminFixture.Topic("t")), StringComparison.Ordinal);
        fixture.Store.LoseAnswer = null;
        away = false;
        // The write had arrived: the next look at the store sees it.
        Assert.Equal("TopicAlreadyExists: Topic 't' already exists.", await fixture.CreateAsync(AdminFixture.Topic("t")));
        await fixture.View.PublishedAsync();
        Assert.True(fixture.View.Current.TopicsByName.ContainsKey("t"));
    }

    [Fact]
    public async Task A_damaged_or_newer_object_is_named()
    {
        var fixture = await AdminFixture.OpenAsync();
        await fixture.CreateAsync(AdminFixture.Topic("t"));
        fixture.Store.Tamper("topics/t", bytes => { bytes[^10] ^= 1; return bytes; });
        var damaged = await Assert.ThrowsAsync<InvalidDataException>(() => AdminFixture.OpenAsync(fixture.Store));
        Assert.Contains("topics/t", damaged.Message, StringComparison.Ordinal);
        fixture.Store.Tamper("topics/t", _ => CellFormat.Frame(CellKind.Topic, 9, Guid.NewGuid(), [1, 2, 3]));
        var newer = await Assert.ThrowsAsync<UnsupportedFormatException>(() => AdminFixture.OpenAsync(fixture.Store));
        Assert.Contains("newer version of this program (format 9", newer.Message, StringComparison.Ordinal);
        fixture.Store.Tamper("topics/t", _ => CellFormat.Frame(CellKind.Configs, 1, Guid.NewGuid(), [1, 2, 3]));
        await Assert.ThrowsAsync<InvalidDataException>(() => AdminFixture.OpenAsync(fixture.Store));
    }
}
