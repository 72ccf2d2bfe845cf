namespace OrleansStream.EndToEnd.Wire;

/// <summary>The requests of group members that the tests themselves need, in their last versions before the flexible ones.</summary>
internal static class GroupRequests
{
    private const short OffsetCommit = 8, OffsetFetch = 9, FindCoordinator = 10, JoinGroup = 11, Heartbeat = 12, LeaveGroup = 13, SyncGroup = 14, DeleteGroups = 42, OffsetDelete = 47, ConsumerGroupHeartbeat = 68;

    /// <summary>An answer to JoinGroup: a member that has to come again with its id has error 79 (MEMBER_ID_REQUIRED).</summary>
    public readonly record struct Joined(short Error, int Generation, string Member);

    /// <summary>Waits until the coordinator of a group serves: Apache Kafka makes its topic when it is first asked for one, and then loads each partition of it.</summary>
    public static async Task GroupServesAsync(this KafkaConnection connection, string group)
    {
        for (var tries = 0; ; tries++)
        {
            var found = await connection.AskAsync(FindCoordinator, 2, new WireWriter().Text(group).Int8(0));
            found.Int32();
            var error = found.Int16();
            if (error == 0) error = (await connection.FetchOffsetAsync(group, "any", 0)).Error;
            if (error == 0) return;
            if (tries == 500) throw new TimeoutException($"nobody coordinates {group}: error {error}");
            await Task.Delay(20);
        }
    }

    /// <summary>JoinGroup 5 with one protocol that subscribes to one topic.</summary>
    public static async Task<Joined> JoinAsync(this KafkaConnection connection, string group, string member, string? topic = null, string? instance = null,
        string type = "consumer", string protocol = "range", int sessionMs = 60_000)
    {
        var body = new WireWriter().Text(group).Int32(sessionMs).Int32(60_000).Text(member).Text(instance).Text(type);
        _ = topic is null ? body.Int32(0) : body.Int32(1).Text(protocol).Blob(Subscription(topic));
        var answer = await connection.AskAsync(JoinGroup, 5, body);
        answer.Int32();
        var (error, generation) = (answer.Int16(), answer.Int32());
        answer.Text();
        answer.Text();
        return new Joined(error, generation, answer.Text()!);
    }

    /// <summary>The round for a member id, and the second one with it.</summary>
    public static async Task<Joined> JoinTwiceAsync(this KafkaConnection connection, string group, string topic)
    {
        const short memberIdRequired = 79;
        var first = await connection.JoinAsync(group, "", topic);
        if (first.Error != memberIdRequired) throw new InvalidOperationException($"JoinGroup {group}: error {first.Error}");
        var second = await connection.JoinAsync(group, first.Member, topic);
        if (second.Error != 0) throw new InvalidOperationException($"JoinGroup {group}: error {second.Error}");
        return second;
    }

    /// <summary>SyncGroup 3: as the leader that gives all partitions to <paramref name="member"/>, or without partitions as a follower.</summary>
    public static async Task<short> SyncAsync(
        this KafkaConnection connection, string group, int generation, string member, string topic, IReadOnlyCollection<int> partitions, string? instance = null)
    {
        var body = new WireWriter().Text(group).Int32(generation).Text(member).Text(instance);
        _ = partitions.Count == 0 ? body.Int32(0) : body.Int32(1).Text(member).Blob(Assignment(topic, partitions));
        var answer = await connection.AskAsync(SyncGroup, 3, body);
        answer.Int32();
        return answer.Int16();
    }

    public static async Task<short> HeartbeatAsync(this KafkaConnection connection, string group, int generation, string member, string? instance = null)
    {
        var answer = await connection.AskAsync(Heartbeat, 3, new WireWriter().Text(group).Int32(generation).Text(member).Text(instance));
        answer.Int32();
        return answer.Int16();
    }

    /// <summary>LeaveGroup 3 for one member: the request's own error, and where that is none the member's.</summary>
    public static async Task<short> LeaveAsync(this KafkaConnection connection, string group, string member, string? instance = null)
    {
        var answer = await connection.AskAsync(LeaveGroup, 3, new WireWriter().Text(group).Int32(1).Text(member).Text(instance));
        answer.Int32();
        var error = answer.Int16();
        var members = answer.Array(m => { m.Text(); m.Text(); return m.Int16(); });
        return error != 0 ? error : members[0];
    }

    /// <summary>OffsetCommit 7 for one partition; by default from outside of the group, as the tools do.</summary>
    public static async Task<short> CommitAsync(this KafkaConnection connection, string group, string topic, int partition, long offset,
        int generation = -1, string member = "", string? instance = null, string? metadata = "")
    {
        var answer = await connection.AskAsync(OffsetCommit, 7, new WireWriter().Text(group).Int32(generation).Text(member).Text(instance)
            .Int32(1).Text(topic).Int32(1).Int32(partition).Int64(offset).Int32(-1).Text(metadata));
        answer.Int32();
        return answer.Array(t => { t.Text(); return t.Array(p => { p.Int32(); return p.Int16(); })[0]; })[0];
    }

    /// <summary>OffsetFetch 5 for one partition: what is committed, -1 for nothing.</summary>
    public static async Task<long> CommittedAsync(this KafkaConnection connection, string group, string topic, int partition)
    {
        var (error, offset) = await connection.FetchOffsetAsync(group, topic, partition);
        return error == 0 ? offset : throw new InvalidOperationException($"OffsetFetch {group}: error {error}");
    }

    private static async Task<(short Error, long Offset)> FetchOffsetAsync(this KafkaConnection connection, string group, string topic, int partition)
    {
        var answer = await connection.AskAsync(OffsetFetch, 5, new WireWriter().Text(group).Int32(1).Text(topic).Int32(1).Int32(partition));
        answer.Int32();
        var offset = answer.Array(t => { t.Text(); return t.Array(p => { p.Int32(); var at = p.Int64(); p.Int32(); p.Text(); p.Int16(); return at; }); }).SelectMany(p => p).FirstOrDefault(-1);
        return (answer.Int16(), offset);
    }

    public static async Task<short> DeleteGroupAsync(this KafkaConnection connection, string group)
    {
        var answer = await connection.AskAsync(DeleteGroups, 1, new WireWriter().Int32(1).Text(group));
        answer.Int32();
        return answer.Array(g => { g.Text(); return g.Int16(); })[0];
    }

    /// <summary>OffsetDelete 0 for one partition: the request's own error, and where that is none the partition's.</summary>
    public static async Task<short> DeleteOffsetAsync(this KafkaConnection connection, string group, string topic, int partition)
    {
        var answer = await connection.AskAsync(OffsetDelete, 0, new WireWriter().Text(group).Int32(1).Text(topic).Int32(1).Int32(partition));
        var error = answer.Int16();
        answer.Int32();
        if (error != 0) return error;
        return answer.Array(t => { t.Text(); return t.Array(p => { p.Int32(); return p.Int16(); })[0]; })[0];
    }

    /// <summary>ConsumerGroupHeartbeat 1: (error, member epoch). What is null is left as it was.</summary>
    public static async Task<(short Error, int Epoch)> ConsumerHeartbeatAsync(this KafkaConnection connection, string group, string member, int epoch,
        string[]? topics = null, string? regex = null, string? instance = null, string? assignor = null, int rebalanceMs = 60_000, bool owned = true)
    {
        var body = new WireWriter().CompactText(group).CompactText(member).Int32(epoch);
        Nullable(body, instance);
        body.Unsigned(0).Int32(rebalanceMs);
        if (topics is null) body.Unsigned(0);
        else
        {
            body.Unsigned((uint)topics.Length + 1);
            foreach (var topic in topics) body.CompactText(topic);
        }
        Nullable(body, regex);
        Nullable(body, assignor);
        // Owned partitions: none, or not said.
        body.Unsigned(owned ? 1u : 0u).Unsigned(0);
        var answer = await connection.AskFlexibleAsync(ConsumerGroupHeartbeat, 1, body);
        answer.Int32();
        var error = answer.Int16();
        if (answer.Unsigned() is var message and > 0) answer.Take((int)message - 1);
        if (answer.Unsigned() is var id and > 0) answer.Take((int)id - 1);
        return (error, answer.Int32());
    }

    private static void Nullable(WireWriter body, string? value) => _ = value is null ? body.Unsigned(0) : body.CompactText(value);

    /// <summary>ConsumerProtocolSubscription 0.</summary>
    private static ReadOnlySpan<byte> Subscription(string topic) => new WireWriter().Int16(0).Int32(1).Text(topic).Int32(-1).Bytes.Span;

    /// <summary>ConsumerProtocolAssignment 0.</summary>
    private static ReadOnlySpan<byte> Assignment(string topic, IReadOnlyCollection<int> partitions) =>
        new WireWriter().Int16(0).Int32(1).Text(topic).Array(partitions, (w, p) => w.Int32(p)).Int32(-1).Bytes.Span;
}
