using OrleansStream.EndToEnd.Brokers;
using OrleansStream.EndToEnd.Wire;

namespace OrleansStream.EndToEnd.BadInput;

public sealed class GroupBadInputHere(DiskBroker fixture) : GroupBadInputTests(fixture), IClassFixture<DiskBroker>;

/// <summary>The same requests to the real Apache Kafka: what is expected is what it does.</summary>
[Collection(AtKafka.Name)]
public sealed class GroupBadInputAtKafka(KafkaBroker fixture) : GroupBadInputTests(fixture);

/// <summary>Wrong requests of group members get Kafka's own codes, and nothing else is disturbed by them.</summary>
public abstract class GroupBadInputTests(BrokerFixture fixture)
{
    private const string Neighbour = "group-cases-neighbour";
    private static int s_groups;

    public static TheoryData<string> Cases => [.. GroupCases.All.Keys];

    [SkippableTheory, MemberData(nameof(Cases))]
    public async Task A_wrong_request_gets_Kafkas_code_and_disturbs_nobody(string name)
    {
        await using var connection = await fixture.Broker.ConnectAsync();
        var neighbour = await NeighbourAsync(connection);
        var group = $"group-case-{Interlocked.Increment(ref s_groups)}";
        await connection.GroupServesAsync(group);
        var (error, ask) = GroupCases.All[name];
        Assert.Equal(error, await ask(connection, group));
        // Where it was refused, nothing was committed.
        Assert.Equal(error == 0 ? 1 : -1, await connection.CommittedAsync(group, GroupCases.Topic, 0));
        Assert.Equal(0, await connection.HeartbeatAsync(Neighbour, neighbour.Generation, neighbour.Member));
        Assert.Equal(7, await connection.CommittedAsync(Neighbour, GroupCases.Topic, 0));
    }

    /// <summary>Expressions that take a backtracking engine hours, or any engine its memory: an answer comes, and others are served meanwhile.</summary>
    [SkippableTheory]
    [InlineData("(a+)+b")]
    [InlineData("(a|aa)+$")]
    [InlineData("(.*)*(.*)*(.*)*x")]
    [InlineData("((a{1,100}){1,100}){1,100}")]
    public async Task A_costly_expression_harms_nobody(string regex)
    {
        await using var connection = await fixture.Broker.ConnectAsync();
        var neighbour = await NeighbourAsync(connection);
        await using var other = await fixture.Broker.ConnectAsync();
        var group = $"group-case-{Interlocked.Increment(ref s_groups)}";
        await other.GroupServesAsync(group);
        var joining = other.ConsumerHeartbeatAsync(group, "m", 0, regex: regex);
        Assert.Equal(0, await connection.HeartbeatAsync(Neighbour, neighbour.Generation, neighbour.Member));
        const short invalidRegularExpression = 128;
        Assert.Contains((await joining).Error, new short[] { 0, invalidRegularExpression });
        Assert.Equal(0, await connection.HeartbeatAsync(Neighbour, neighbour.Generation, neighbour.Member));
    }

    /// <summary>A group that has a member and a commit, and goes on having them.</summary>
    private async Task<GroupRequests.Joined> NeighbourAsync(KafkaConnection connection)
    {
        if (fixture.Kept.TryGetValue(Neighbour, out var kept)) return (GroupRequests.Joined)kept;
        await connection.CreateTopicAsync(GroupCases.Topic, 1);
        // A name as long as Kafka allows that an expression has to be matched with.
        await connection.CreateTopicAsync(new string('a', 249), 1);
        await connection.GroupServesAsync(Neighbour);
        var joined = await connection.JoinTwiceAsync(Neighbour, GroupCases.Topic);
        Assert.Equal(0, await connection.SyncAsync(Neighbour, joined.Generation, joined.Member, GroupCases.Topic, [0]));
        Assert.Equal(0, await connection.CommitAsync(Neighbour, GroupCases.Topic, 0, 7, joined.Generation, joined.Member));
        fixture.Kept[Neighbour] = joined;
        return joined;
    }
}
