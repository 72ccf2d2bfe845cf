using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using System.Text.RegularExpressions;
using OrleansStream.Broker.Configuration;
using OrleansStream.Broker.Topics;
using OrleansStream.Broker.Tests.Topics;

namespace OrleansStream.Broker.Tests.Configuration;

/// <summary>Asks a real Kafka for all of its configurations, and compares them with what this broker says when it is given the same settings.</summary>
public sealed partial class KafkaConfigsTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("kafka-configs").FullName;
    private Process? _broker;

    /// <summary>Ours differ on purpose: the default of these two, and a cluster default that Kafka writes for its eligible leader replicas.</summary>
    private static readonly string[] Different = ["log.dir", "listeners", "min.insync.replicas"];

    [SkippableFact]
    public async Task Names_values_and_synonyms_are_those_of_Kafka()
    {
        var script = Script();
        Skip.If(script is null, "SKIPPED: no Apache Kafka at KAFKA_PEERS (default ../shared/peers); the configurations were not compared with it.");
        var port = FreePort();
        _broker = Process.Start(new ProcessStartInfo(
            script!, ["start", _folder, $"{port}", "log.retention.hours=5", "message.max.bytes=2000000", "log.roll.ms=7000000", "num.partitions=3"])
        {
            RedirectStandardOutput = true,
            Environment = { ["KAFKA_HEAP"] = "512m" },
        })!;
        Assert.StartsWith("ready:", await _broker.StandardOutput.ReadLineAsync(), StringComparison.Ordinal);
        var server = $"127.0.0.1:{port}";
        await AskAsync(script!, "topics", "--bootstrap-server", server, "--create", "--topic", "t", "--config", "retention.bytes=5", "--config", "cleanup.policy=compact");
        var topic = await AskAsync(script!, "configs", "--bootstrap-server", server, "--describe", "--all", "--entity-type", "topics", "--entity-name", "t");
        var broker = await AskAsync(script!, "configs", "--bootstrap-server", server, "--describe", "--all", "--entity-type", "brokers", "--entity-name", "1");

        var fixture = await AdminFixture.OpenAsync(null, [.. (await File.ReadAllLinesAsync(Path.Combine(_folder, "server.properties"))).Where(l => l.Contains('='))]);
        Assert.Equal("ok", await fixture.CreateAsync(AdminFixture.Topic("t", 1, 1, "retention.bytes=5", "cleanup.policy=compact")));
        Assert.True(Comparable(topic).Count > 30 && Comparable(broker).Count > 330, "the tool printed less than expected");
        Assert.Equal(Comparable(topic), await OursAsync(fixture, ConfigResourceType.Topic, "t"));
        Assert.Equal(Comparable(broker), await OursAsync(fixture, ConfigResourceType.Broker, "1"));
    }

    private static List<string> Comparable(string output) =>
        [.. output.Split('\n').Where(l => l.StartsWith("  ", StringComparison.Ordinal)).Select(l => l.Trim()).Where(l => !Different.Contains(NameOf().Match(l).Value))];

    private static async Task<List<string>> OursAsync(AdminFixture fixture, ConfigResourceType type, string name)
    {
        var (error, entries) = await fixture.Admin.DescribeConfigsAsync(type, name, null, CancellationToken.None);
        Assert.False(error.Failed, error.Message);
        return [.. entries.Where(e => !OwnNames.All.Contains(e.Name) && !Different.Contains(e.Name)).Select(Line)];
    }

    private static string Line(ConfigEntry entry) =>
        $"{entry.Name}={entry.Value ?? "null"} sensitive={(entry.Sensitive ? "true" : "false")} synonyms={{{string.Join(", ", entry.Synonyms.Select(s => $"{Name(s.Source)}:{s.Name}={s.Value}"))}}}";

    private static string Name(ConfigSource source) => source switch
    {
        ConfigSource.Default => "DEFAULT_CONFIG",
        ConfigSource.StaticBroker => "STATIC_BROKER_CONFIG",
        ConfigSource.DynamicTopic => "DYNAMIC_TOPIC_CONFIG",
        _ => source.ToString(),
    };

    private static async Task<string> AskAsync(string script, params string[] arguments)
    {
        using var tool = Process.Start(new ProcessStartInfo(script, arguments) { RedirectStandardOutput = true })!;
        var output = await tool.StandardOutput.ReadToEndAsync();
        await tool.WaitForExitAsync();
        Assert.Equal(0, tool.ExitCode);
        return output;
    }

    private static string? Script()
    {
        var root = AppContext.BaseDirectory;
        while (root is not null && !File.Exists(Path.Combine(root, "OrleansStream.sln")))
            root = Path.GetDirectoryName(root);
        var script = Path.Combine(Environment.GetEnvironmentVariable("KAFKA_PEERS") ?? Path.Combine(root ?? ".", "../shared/peers"), "kafka", "kafka");
        return File.Exists(script) ? Path.GetFullPath(script) : null;
    }

    private static int FreePort()
    {
        while (true)
        {
            using var listener = new TcpListener(IPAddress.Loopback, 0);
            listener.Start();
            // The peer takes this port and the one 20,000 above it.
            if (((IPEndPoint)listener.LocalEndpoint).Port is < 45_000 and var port)
                return port;
        }
    }

    [GeneratedRegex("^[^=]+")]
    private static partial Regex NameOf();

    public void Dispose()
    {
        if (_broker is { HasExited: false })
        {
            // The script's own child has to go too; it is what holds the port.
            var pid = Path.Combine(_folder, "pid");
            if (File.Exists(pid))
                Process.Start("kill", ["-TERM", File.ReadAllText(pid).Trim()])?.WaitForExit();
            if (!_broker.WaitForExit(20_000))
                _broker.Kill(entireProcessTree: true);
        }
        _broker?.Dispose();
        Directory.Delete(_folder, recursive: true);
    }
}
