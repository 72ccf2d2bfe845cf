using System.Collections;
using Microsoft.Extensions.Logging;
using OrleansStream.Broker.Configuration;
using OrleansStream.Hosting.Configuration;

namespace OrleansStream.Hosting.Tests;

public sealed class ProcessSettingsTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("ostream-settings-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void The_command_line_wins_over_the_environment_over_properties_over_json()
    {
        string json = Write("a.json", """{ "Other": 1, "OrleansStream": { "num.partitions": 2, "log": { "retention.ms": 5 }, "memory.budget": 33554432, "data": "j" } }""");
        string properties = Write("server.properties", "num.partitions=3\nlog.dirs=p\nfetch.max.bytes=2000");
        ProcessSettings settings = Gather(
            ["--settings", json, "--config", properties, "--data", "c"],
            ("OSTREAM_NUM_PARTITIONS", "4"), ("OSTREAM_DATA", "e"), ("OSTREAM_FETCH_MAX_BYTES", "3000"), ("PATH", "ignored"));
        Assert.Equal((4, "c", 33554432, 3000), (settings.Broker.NumPartitions, settings.Broker.DataFolder, settings.Broker.MemoryBudgetBytes, settings.Broker.FetchMaxBytes));
        Assert.Equal(5, settings.Broker.Layers.Long("log.retention.ms"));
    }

    [Fact]
    public void Settings_without_a_meaning_here_are_noticed_and_unknown_ones_refused_by_name()
    {
        Assert.Contains(Gather(["--override", "num.io.threads=8"]).Notices, n => n.StartsWith("num.io.threads", StringComparison.Ordinal));
        SettingsException refused = Assert.Throws<SettingsException>(() => Gather(["--no-such-thing", "1"], ("OSTREAM_NOR_THIS", "2")));
        Assert.Contains("no.such.thing", refused.Message, StringComparison.Ordinal);
        Assert.Contains("nor.this", refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_listener_that_is_not_loopback_needs_the_switch()
    {
        string[] open = ["--listeners", "PLAINTEXT://0.0.0.0:9092", "--advertised-listeners", "PLAINTEXT://example.org:9092"];
        Assert.Contains("allow.insecure.listeners", Assert.Throws<SettingsException>(() => Gather(open)).Message, StringComparison.Ordinal);
        Assert.Equal("example.org", Gather([.. open, "--allow-insecure-listeners"]).Broker.AdvertisedListeners[0].Host);
    }

    [Theory]
    [InlineData("none")]
    [InlineData("0")]
    [InlineData("")]
    public void Http_can_be_switched_off(string value) => Assert.Null(Gather(["--http=" + value]).Broker.HttpListener);

    [Fact]
    public void Logs_are_quiet_unless_told_otherwise()
    {
        Assert.Equal((LogLevel.Warning, false), (Gather([]).LogLevel, Gather([]).JsonLogs));
        ProcessSettings loud = Gather(["--logging-level", "debug", "--logging-format", "json"]);
        Assert.Equal((LogLevel.Debug, true), (loud.LogLevel, loud.JsonLogs));
        Assert.Throws<UsageException>(() => Gather(["--logging-level", "loud"]));
    }

    [Fact]
    public void A_file_that_cannot_be_read_is_named() =>
        Assert.Contains("gone.properties", Assert.Throws<UsageException>(() => Gather(["--config", Path.Combine(_folder, "gone.properties")])).Message, StringComparison.Ordinal);

    [Fact]
    public void Help_names_every_setting_that_acts()
    {
        string help = HelpText.Make(Programs.Some);
        Assert.All(
            BrokerConfigDefinitions.All.Values.Where(d => d.Effect == SettingEffect.Acts && !d.Internal),
            d => Assert.Contains(d.Name, help, StringComparison.Ordinal));
        Assert.Contains("OSTREAM_SOME_PORT", help, StringComparison.Ordinal);
        Assert.Contains("Usage: ostream-some", help, StringComparison.Ordinal);
    }

    [Fact]
    public void An_executable_has_settings_of_its_own()
    {
        Assert.Equal(("7", null), (Gather([]).Own["some.port"], Gather([]).Own["some.switch"]));
        ProcessSettings set = Gather(["--some-port", "8"], ("OSTREAM_SOME_SWITCH", "true"));
        Assert.Equal(("8", "true"), (set.Own["some.port"], set.Own["some.switch"]));
    }

    private static ProcessSettings Gather(string[] args, params (string Name, string Value)[] environment)
    {
        var variables = new Hashtable();
        foreach ((string name, string value) in environment)
            variables[name] = value;
        return ProcessSettings.Gather(CommandLine.Parse(args, Programs.Some), variables, Programs.Some);
    }

    private string Write(string name, string text)
    {
        string path = Path.Combine(_folder, name);
        File.WriteAllText(path, text);
        return path;
    }
}
