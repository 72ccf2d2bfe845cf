using OrleansStream.EndToEnd.Brokers;
using OrleansStream.EndToEnd.Wire;

namespace OrleansStream.EndToEnd.DataFolder;

/// <summary>A broker does not start on data that is not its own, and says why in a sentence.</summary>
public sealed class DataFolderTests : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("ostream-folder-");

    public void Dispose() => _folder.Delete(recursive: true);

    [SkippableFact]
    public async Task A_folder_in_use_is_refused()
    {
        Skip.If(BrokerProcess.IsKafka, "about our folder");
        await using var first = await BrokerProcess.StartAsync(_folder.FullName);
        var refusal = await Assert.ThrowsAsync<InvalidOperationException>(() => BrokerProcess.StartAsync(_folder.FullName));
        Assert.Contains("in use", refusal.Message, StringComparison.Ordinal);
        Assert.Contains(_folder.FullName, refusal.Message, StringComparison.Ordinal);
        Assert.DoesNotContain("   at ", refusal.Message, StringComparison.Ordinal);
    }

    [SkippableFact]
    public async Task A_stopped_broker_leaves_its_folder_free_and_ends_with_0()
    {
        Skip.If(BrokerProcess.IsKafka, "about our folder");
        await using var broker = await BrokerProcess.StartAsync(_folder.FullName);
        Assert.Equal(0, await broker.StopAsync());
        await broker.StartAgainAsync();
    }

    [SkippableTheory]
    [InlineData("--no-such-option", "1", "no.such.option")]
    [InlineData("--override", "no.such.setting=1", "no.such.setting")]
    [InlineData("--override", "num.partitions=many", "num.partitions")]
    [InlineData("--listeners", "PLAINTEXT://0.0.0.0:9092", "allow.insecure.listeners")]
    public async Task What_is_not_understood_is_refused_by_name(string option, string value, string named)
    {
        Skip.If(BrokerProcess.IsKafka, "about our options");
        await using var process = ChildProcess.Start(["dotnet", BrokerProcess.OurProgram, "--data", _folder.FullName, "--http", "off", option, value]);
        Assert.True(await process.EndsWithinAsync(TimeSpan.FromSeconds(30)), "it started");
        Assert.NotEqual(0, process.ExitCode);
        Assert.Contains(named, process.Printed, StringComparison.Ordinal);
    }

    /// <summary>Each kind of file, with the version to come in the byte where its version stands.</summary>
    [SkippableTheory]
    [InlineData("format", 19)]
    [InlineData("store/cluster/id", 5)]
    [InlineData("store/cluster/owner", 5)]
    [InlineData("store/topics/t", 5)]
    [InlineData("store/partitions/*/0/manifest", 5)]
    [InlineData("journal/journal-*", 4)]
    public async Task What_a_newer_version_has_written_is_refused_by_name(string pattern, int at)
    {
        Skip.If(BrokerProcess.IsKafka, "about our folder");
        await using (var broker = await BrokerProcess.StartAsync(_folder.FullName))
        {
            await using var connection = await broker.ConnectAsync();
            await connection.CreateTopicAsync("t", 1);
            var answer = await connection.ProduceAsync("t", 0, RecordBatch.Build([new WireRecord(null, "v"u8.ToArray(), DateTimeOffset.UtcNow.ToUnixTimeMilliseconds())]));
            Assert.Equal(0, answer.Error);
            // A kill leaves a journal, so that the next start opens the partition.
            await broker.KillAsync();
        }
        var path = Directory.EnumerateFiles(_folder.FullName, "*", SearchOption.AllDirectories).Order(StringComparer.Ordinal)
            .First(f => System.IO.Enumeration.FileSystemName.MatchesSimpleExpression(pattern, Path.GetRelativePath(_folder.FullName, f)));
        using (var file = new FileStream(path, FileMode.Open, FileAccess.ReadWrite))
        {
            file.Position = at;
            var version = file.ReadByte();
            file.Position = at;
            file.WriteByte((byte)(version + 1));
        }

        await using var process = ChildProcess.Start(
            ["dotnet", BrokerProcess.OurProgram, "--listeners", $"PLAINTEXT://127.0.0.1:{Ports.Free()}", "--data", _folder.FullName, "--http", "off"]);
        Assert.True(await process.EndsWithinAsync(TimeSpan.FromSeconds(30)), "it runs on");
        Assert.Equal(1, process.ExitCode);
        var named = pattern == "format" ? _folder.FullName : Path.GetFileName(path) == "manifest" ? Path.GetFileName(Path.GetDirectoryName(path))! : Path.GetFileName(path);
        Assert.Contains("written by a newer version of this program", process.Printed, StringComparison.Ordinal);
        Assert.Contains(named, process.Printed, StringComparison.Ordinal);
    }
}
