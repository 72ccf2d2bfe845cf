using System.Diagnostics;
using System.Globalization;
using OrleansStream.EndToEnd.Brokers;
using OrleansStream.EndToEnd.Wire;

namespace OrleansStream.EndToEnd.Clients;

/// <summary>
/// Kafka's own kafka-consumer-groups: what it shows of groups, and what is committed after it has reset them in each of its ways. Without --full it does a few of
/// these things, since each is the start of a JVM.
/// </summary>
public sealed class ConsumerGroupsToolTests(DiskBroker fixture) : IClassFixture<DiskBroker>
{
    private const int Records = 10;
    private static readonly DateTimeOffset s_start = DateTimeOffset.UtcNow.AddHours(-Records);
    private static int s_topics;

    /// <summary>Arguments of a reset, and what is committed after it; before, that is 4. Records lie an hour apart, the last of them an hour ago.</summary>
    private static readonly Dictionary<string, (string[] Arguments, long Committed)> s_resets = new()
    {
        ["to-earliest"] = (["--to-earliest"], 2),
        ["to-latest"] = (["--to-latest"], 10),
        ["to-offset"] = (["--to-offset", "7"], 7),
        ["to-offset beyond the end"] = (["--to-offset", "70"], 10),
        ["to-offset before the begin"] = (["--to-offset", "0"], 2),
        ["shift-by"] = (["--shift-by", "3"], 7),
        ["shift-by backwards"] = (["--shift-by", "-1"], 3),
        ["shift-by beyond the begin"] = (["--shift-by", "-4"], 2),
        ["to-datetime"] = (["--to-datetime", s_start.AddHours(5).AddMinutes(-30).ToString("yyyy-MM-dd'T'HH:mm:ss.fff", CultureInfo.InvariantCulture)], 5),
        ["by-duration"] = (["--by-duration", "PT3H30M"], 7),
        ["to-current"] = (["--to-current"], 4),
    };

    public static TheoryData<string> Resets => [.. s_resets.Keys.Where(k => Repository.Full || k is "to-datetime")];

    [SkippableTheory, MemberData(nameof(Resets))]
    public async Task A_reset_commits_what_it_says(string way)
    {
        Missing.Peers();
        await using var connection = await fixture.Broker.ConnectAsync();
        var (topic, other, group) = (await TopicAsync(connection), await TopicAsync(connection), NewGroup());
        foreach (var name in new[] { topic, other }) await CommitAsync(connection, group, name);
        var (arguments, committed) = s_resets[way];

        var printed = await RunAsync(["--group", group, "--reset-offsets", "--topic", topic, .. arguments, "--execute"]);
        foreach (var partition in (int[])[0, 1])
        {
            Assert.Contains($"{group} {topic} {partition} {committed}", printed);
            Assert.Equal(committed, await connection.CommittedAsync(group, topic, partition));
            Assert.Equal(4, await connection.CommittedAsync(group, other, partition));
        }
    }

    [SkippableFact]
    public async Task All_topics_can_be_reset_by_what_was_exported()
    {
        Missing.Peers();
        await using var connection = await fixture.Broker.ConnectAsync();
        var (topic, other, group) = (await TopicAsync(connection), await TopicAsync(connection), NewGroup());
        foreach (var name in new[] { topic, other }) await CommitAsync(connection, group, name);

        var exported = await RunAsync(["--group", group, "--reset-offsets", "--all-topics", "--shift-by", "2", "--dry-run", "--export"]);
        var rows = new[] { topic, other }.SelectMany(t => new[] { 0, 1 }.Select(p => $"{t},{p},6")).ToList();
        Assert.Equal(rows.Order(StringComparer.Ordinal), exported.Where(l => l.StartsWith("tool-topic-", StringComparison.Ordinal)).Order(StringComparer.Ordinal));
        Assert.Equal(4, await connection.CommittedAsync(group, topic, 0));

        var file = Path.GetTempFileName();
        try
        {
            // One partition is left out, and keeps what it has.
            await File.WriteAllLinesAsync(file, rows.Where(r => r != $"{other},1,6"));
            await RunAsync(["--group", group, "--reset-offsets", "--from-file", file, "--execute"]);
        }
        finally { File.Delete(file); }
        Assert.Equal((6, 6), (await connection.CommittedAsync(group, topic, 0), await connection.CommittedAsync(group, topic, 1)));
        Assert.Equal((6, 4), (await connection.CommittedAsync(group, other, 0), await connection.CommittedAsync(group, other, 1)));
    }

    [SkippableFact]
    public async Task Groups_are_listed_and_described_with_their_lag()
    {
        Missing.Peers();
        await using var connection = await fixture.Broker.ConnectAsync();
        var (topic, idle, classic, modern) = (await TopicAsync(connection), NewGroup(), NewGroup(), NewGroup());
        foreach (var group in new[] { idle, classic, modern }) await CommitAsync(connection, group, topic);
        var joined = await connection.JoinTwiceAsync(classic, topic);
        Assert.Equal(0, await connection.SyncAsync(classic, joined.Generation, joined.Member, topic, [0, 1]));
        Assert.Equal((short)0, (await connection.ConsumerHeartbeatAsync(modern, "modern-member", 0, [topic])).Error);

        var listed = await RunAsync(["--list", "--type", "--state"]);
        foreach (var row in new[] { $"{idle} Classic Empty", $"{classic} Classic Stable", $"{modern} Consumer Stable" }) Assert.Contains(row, listed);
        string[] each = ["--describe", "--group", idle, "--group", classic, "--group", modern];
        var offsets = await RunAsync(each);
        foreach (var partition in (int[])[0, 1])
        {
            Assert.Contains($"{idle} {topic} {partition} 4 10 6 - - -", offsets);
            Assert.Contains($"{classic} {topic} {partition} 4 10 6 {joined.Member} /127.0.0.1 end-to-end", offsets);
            Assert.Contains($"{modern} {topic} {partition} 4 10 6 modern-member /127.0.0.1 end-to-end", offsets);
        }
        var members = await RunAsync([.. each, "--members"]);
        Assert.Contains($"{classic} {joined.Member} /127.0.0.1 end-to-end 2", members);
        Assert.Contains($"{modern} modern-member /127.0.0.1 end-to-end 2", members);
        var states = await RunAsync([.. each, "--state"]);
        Assert.Contains($"{idle} {fixture.Broker.Bootstrap} (1) - Empty 0", states);
        Assert.Contains($"{classic} {fixture.Broker.Bootstrap} (1) range Stable 1", states);
        Assert.Contains($"{modern} {fixture.Broker.Bootstrap} (1) uniform Stable 1", states);
    }

    [SkippableFact]
    public async Task Offsets_and_groups_are_deleted()
    {
        Missing.Peers();
        await using var connection = await fixture.Broker.ConnectAsync();
        var (topic, other, group, kept) = (await TopicAsync(connection), await TopicAsync(connection), NewGroup(), NewGroup());
        foreach (var name in new[] { topic, other }) await CommitAsync(connection, group, name);
        await CommitAsync(connection, kept, topic);

        await RunAsync(["--group", group, "--delete-offsets", "--topic", topic]);
        Assert.Equal((-1, 4), (await connection.CommittedAsync(group, topic, 0), await connection.CommittedAsync(group, other, 0)));
        await RunAsync(["--group", group, "--delete"]);
        Assert.Equal((-1, 4), (await connection.CommittedAsync(group, other, 0), await connection.CommittedAsync(kept, topic, 0)));
    }

    /// <summary>A topic of two partitions, each with records from 2 to 10.</summary>
    private static async Task<string> TopicAsync(KafkaConnection connection)
    {
        var topic = $"tool-topic-{Interlocked.Increment(ref s_topics)}";
        await connection.CreateTopicAsync(topic, 2);
        for (var partition = 0; partition < 2; partition++)
        {
            for (var i = 0; i < Records; i++)
                Assert.Equal(0, (await connection.ProduceAsync(topic, partition, RecordBatch.Build([new WireRecord(null, new byte[1], s_start.AddHours(i).ToUnixTimeMilliseconds())]))).Error);
            Assert.Equal(((short)0, 2L), await connection.DeleteRecordsAsync(topic, partition, 2));
        }
        return topic;
    }

    private static string NewGroup() => $"tool-group-{Interlocked.Increment(ref s_topics)}";

    private static async Task CommitAsync(KafkaConnection connection, string group, string topic)
    {
        await connection.GroupServesAsync(group);
        for (var partition = 0; partition < 2; partition++) Assert.Equal(0, await connection.CommitAsync(group, topic, partition, 4));
    }

    /// <summary>Runs the tool; answers its lines with one space between words.</summary>
    private async Task<List<string>> RunAsync(string[] arguments)
    {
        using var process = Process.Start(new ProcessStartInfo(Path.Combine(Repository.Peers!, "kafka", "kafka"),
            ["consumer-groups", "--bootstrap-server", fixture.Broker.Bootstrap, .. arguments]) { RedirectStandardOutput = true, RedirectStandardError = true })!;
        var complaints = process.StandardError.ReadToEndAsync();
        var printed = await process.StandardOutput.ReadToEndAsync();
        await process.WaitForExitAsync();
        Assert.True(process.ExitCode == 0, $"{string.Join(' ', arguments)} ended with {process.ExitCode}: {printed}{await complaints}");
        return [.. printed.Split('\n').Select(l => string.Join(' ', l.Split(' ', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries)))];
    }
}
