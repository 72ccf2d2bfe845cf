using OrleansStream.EndToEnd.Brokers;

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
}
