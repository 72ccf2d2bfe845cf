using OrleansStream.EndToEnd.Wire;

namespace OrleansStream.EndToEnd.BadInput;

/// <summary>
/// Requests of group members that are well formed and wrong, and the error code of each, written down from Apache Kafka 4.3.1. A case is given a group name that
/// nobody has used.
/// </summary>
internal static class GroupCases
{
    public const string Topic = "group-cases";

    public static readonly Dictionary<string, (short Error, Func<KafkaConnection, string, Task<short>> Ask)> All = new()
    {
        // Classic members.
        ["a group without a name"] = (24, async (c, _) => (await c.JoinAsync("", "", Topic)).Error),
        ["a session shorter than allowed"] = (26, async (c, g) => (await c.JoinAsync(g, "", Topic, sessionMs: 1)).Error),
        ["a session longer than allowed"] = (26, async (c, g) => (await c.JoinAsync(g, "", Topic, sessionMs: int.MaxValue)).Error),
        ["a first member without protocols"] = (23, async (c, g) => (await c.JoinAsync(g, "", instance: "i")).Error),
        ["a first member without a protocol type"] = (23, async (c, g) => (await c.JoinAsync(g, "", Topic, type: "", instance: "i")).Error),
        ["a member of another protocol type"] = (23, (c, g) => AfterJoinAsync(c, g, async _ => (await c.JoinAsync(g, "", Topic, type: "connect")).Error)),
        ["a member whose protocols nobody else has"] = (23, (c, g) => AfterJoinAsync(c, g, async _ => (await c.JoinAsync(g, "", Topic, protocol: "mine")).Error)),
        ["a join of an unknown member to an unknown group"] = (25, async (c, g) => (await c.JoinAsync(g, "nobody", Topic)).Error),
        ["a join of an unknown member"] = (25, (c, g) => AfterJoinAsync(c, g, async _ => (await c.JoinAsync(g, "nobody", Topic)).Error)),
        ["a join of a static member with another's id"] = (82, (c, g) => AfterStaticJoinAsync(c, g, async _ => (await c.JoinAsync(g, "nobody", Topic, "i")).Error)),
        ["a sync of an unknown group"] = (25, (c, g) => c.SyncAsync(g, 1, "nobody", Topic, [])),
        ["a sync of an unknown member"] = (25, (c, g) => AfterJoinAsync(c, g, j => c.SyncAsync(g, j.Generation, "nobody", Topic, []))),
        ["a sync of another generation"] = (22, (c, g) => AfterJoinAsync(c, g, j => c.SyncAsync(g, j.Generation + 1, j.Member, Topic, []))),
        ["a sync of a static member with another's id"] = (82, (c, g) => AfterStaticJoinAsync(c, g, j => c.SyncAsync(g, j.Generation, "nobody", Topic, [], "i"))),
        ["a heartbeat to an unknown group"] = (25, (c, g) => c.HeartbeatAsync(g, 1, "nobody")),
        ["a heartbeat of an unknown member"] = (25, (c, g) => AfterJoinAsync(c, g, j => c.HeartbeatAsync(g, j.Generation, "nobody"))),
        ["a heartbeat of the generation before"] = (22, (c, g) => AfterJoinAsync(c, g, j => c.HeartbeatAsync(g, j.Generation - 1, j.Member))),
        ["a heartbeat of a generation to come"] = (22, (c, g) => AfterJoinAsync(c, g, j => c.HeartbeatAsync(g, j.Generation + 1, j.Member))),
        ["a heartbeat of a static member with another's id"] = (82, (c, g) => AfterStaticJoinAsync(c, g, j => c.HeartbeatAsync(g, j.Generation, "nobody", "i"))),
        ["a heartbeat of an unknown instance"] = (25, (c, g) => AfterStaticJoinAsync(c, g, j => c.HeartbeatAsync(g, j.Generation, j.Member, "other"))),
        ["an unknown member that leaves"] = (25, (c, g) => AfterJoinAsync(c, g, _ => c.LeaveAsync(g, "nobody"))),
        ["an unknown member that leaves an unknown group"] = (25, (c, g) => c.LeaveAsync(g, "nobody")),
        ["a static member that leaves with another's id"] = (82, (c, g) => AfterStaticJoinAsync(c, g, _ => c.LeaveAsync(g, "nobody", "i"))),

        // Commits.
        ["a commit for a topic that does not exist"] = (3, (c, g) => c.CommitAsync(g, "no-such-topic", 0, 1)),
        ["a commit for a partition that does not exist"] = (3, (c, g) => c.CommitAsync(g, Topic, 99, 1)),
        ["a commit for a negative partition"] = (3, (c, g) => c.CommitAsync(g, Topic, -1, 1)),
        ["a commit with metadata over offset.metadata.max.bytes"] = (12, (c, g) => c.CommitAsync(g, Topic, 0, 1, metadata: new string('m', 4097))),
        ["a commit with metadata of just that size"] = (0, (c, g) => c.CommitAsync(g, Topic, 0, 1, metadata: new string('m', 4096))),
        ["a commit of a generation in an unknown group"] = (22, (c, g) => c.CommitAsync(g, Topic, 0, 1, generation: 3, member: "nobody")),
        ["a commit from outside while there are members"] = (25, (c, g) => AfterJoinAsync(c, g, _ => c.CommitAsync(g, Topic, 0, 1))),
        ["a commit of an unknown member"] = (25, (c, g) => AfterJoinAsync(c, g, j => c.CommitAsync(g, Topic, 0, 1, j.Generation, "nobody"))),
        ["a commit of another generation"] = (22, (c, g) => AfterJoinAsync(c, g, j => c.CommitAsync(g, Topic, 0, 1, j.Generation + 1, j.Member))),
        ["a commit of a static member with another's id"] = (82, (c, g) => AfterStaticJoinAsync(c, g, j => c.CommitAsync(g, Topic, 0, 1, j.Generation, "nobody", "i"))),

        // What takes things away.
        ["an unknown group deleted"] = (69, (c, g) => c.DeleteGroupAsync(g)),
        ["a group deleted that has members"] = (68, (c, g) => AfterJoinAsync(c, g, _ => c.DeleteGroupAsync(g))),
        ["an offset of an unknown group deleted"] = (69, (c, g) => c.DeleteOffsetAsync(g, Topic, 0)),
        ["an offset of a topic deleted that is subscribed to"] = (86, (c, g) => AfterJoinAsync(c, g, _ => c.DeleteOffsetAsync(g, Topic, 0))),

        // Members of the new protocol (KIP-848).
        ["a consumer of a group without a name"] = (42, async (c, _) => (await c.ConsumerHeartbeatAsync("", "m", 0, [Topic])).Error),
        ["a consumer without a member id"] = (42, async (c, g) => (await c.ConsumerHeartbeatAsync(g, "", 0, [Topic])).Error),
        ["a consumer that joins without a subscription"] = (42, async (c, g) => (await c.ConsumerHeartbeatAsync(g, "m", 0)).Error),
        ["a consumer that joins without a rebalance time-out"] = (42, async (c, g) => (await c.ConsumerHeartbeatAsync(g, "m", 0, [Topic], rebalanceMs: -1)).Error),
        ["a consumer that joins without its partitions"] = (42, async (c, g) => (await c.ConsumerHeartbeatAsync(g, "m", 0, [Topic], owned: false)).Error),
        ["a consumer of an epoch below -2"] = (42, async (c, g) => (await c.ConsumerHeartbeatAsync(g, "m", -3, [Topic])).Error),
        ["an assignor that does not exist"] = (112, async (c, g) => (await c.ConsumerHeartbeatAsync(g, "m", 0, [Topic], assignor: "mine")).Error),
        ["a heartbeat of a consumer to an unknown group"] = (69, async (c, g) => (await c.ConsumerHeartbeatAsync(g, "m", 5)).Error),
        ["a heartbeat of an unknown consumer"] = (25, (c, g) => AfterHeartbeatAsync(c, g, async e => (await c.ConsumerHeartbeatAsync(g, "nobody", e)).Error)),
        ["a heartbeat of an epoch to come"] = (110, (c, g) => AfterHeartbeatAsync(c, g, async e => (await c.ConsumerHeartbeatAsync(g, "m", e + 1)).Error)),
        ["an instance that is not released"] = (111, async (c, g) =>
        {
            await c.ConsumerHeartbeatAsync(g, "m", 0, [Topic], instance: "i");
            return (await c.ConsumerHeartbeatAsync(g, "another", 0, [Topic], instance: "i")).Error;
        }),
        ["an expression that is none"] = (128, async (c, g) => (await c.ConsumerHeartbeatAsync(g, "m", 0, regex: "[")).Error),
        ["an expression with what costs time without bound"] = (128, async (c, g) => (await c.ConsumerHeartbeatAsync(g, "m", 0, regex: "(a)\\1")).Error),
        ["an expression that repeats beyond what is allowed"] = (128, async (c, g) => (await c.ConsumerHeartbeatAsync(g, "m", 0, regex: "a{1001}")).Error),
        ["a classic member of another protocol type in a group of consumers"] = (23, (c, g) =>
            AfterHeartbeatAsync(c, g, async _ => (await c.JoinAsync(g, "", Topic, type: "connect")).Error)),
        // Version 9 is the first that knows STALE_MEMBER_EPOCH.
        ["a commit of a consumer with an epoch to come, in version 7"] = (35, (c, g) => AfterHeartbeatAsync(c, g, e => c.CommitAsync(g, Topic, 0, 1, e + 1, "m"))),
        ["a commit of an unknown consumer"] = (25, (c, g) => AfterHeartbeatAsync(c, g, e => c.CommitAsync(g, Topic, 0, 1, e, "nobody"))),
    };

    private static async Task<short> AfterJoinAsync(KafkaConnection connection, string group, Func<GroupRequests.Joined, Task<short>> ask)
    {
        var joined = await connection.JoinTwiceAsync(group, Topic);
        Assert.Equal(0, await connection.SyncAsync(group, joined.Generation, joined.Member, Topic, [0]));
        return await ask(joined);
    }

    /// <summary>The same with a member of group.instance.id "i", who needs no round for an id.</summary>
    private static async Task<short> AfterStaticJoinAsync(KafkaConnection connection, string group, Func<GroupRequests.Joined, Task<short>> ask)
    {
        var joined = await connection.JoinAsync(group, "", Topic, "i");
        Assert.Equal(0, joined.Error);
        Assert.Equal(0, await connection.SyncAsync(group, joined.Generation, joined.Member, Topic, [0], "i"));
        return await ask(joined);
    }

    /// <summary>After member "m" has joined under the new protocol; what is asked is given its epoch.</summary>
    private static async Task<short> AfterHeartbeatAsync(KafkaConnection connection, string group, Func<int, Task<short>> ask)
    {
        var (error, epoch) = await connection.ConsumerHeartbeatAsync(group, "m", 0, [Topic]);
        Assert.Equal(0, error);
        return await ask(epoch);
    }
}
