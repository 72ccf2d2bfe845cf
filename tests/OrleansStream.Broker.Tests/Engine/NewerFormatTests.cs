using OrleansStream.Broker.Configuration;
using OrleansStream.Broker.Engine;
using OrleansStream.Broker.Topics;
using OrleansStream.Storage;
using OrleansStream.Storage.Journals.Blob;
using OrleansStream.TestSupport;

namespace OrleansStream.Broker.Tests.Engine;

/// <summary>What a newer version of this program has written in a store ends the start, or the process that meets it, with a sentence that names it.</summary>
public sealed class NewerFormatTests
{
    private readonly TestPorts _ports = new();
    private readonly MemoryObjectStore _store = new();

    /// <summary>Where in each object its version stands; the last byte of it.</summary>
    [Theory]
    [InlineData("cluster/id", 5)]
    [InlineData("cluster/owner", 5)]
    [InlineData("cluster/configs", 5)]
    [InlineData("topics/", 5)]
    public async Task In_a_cell_it_ends_the_start(string prefix, int at)
    {
        await PrepareAsync();
        var name = Tamper(prefix, at);
        var before = Versions();
        var refused = await Assert.ThrowsAsync<UnsupportedFormatException>(StartAsync);
        AssertNames(name, refused.Message);
        // Nothing was changed in a store whose mark is newer.
        if (name == "cluster/id")
            Assert.Equal(before, Versions());
    }

    [Theory]
    [InlineData("partitions/", 5)]
    [InlineData("journal/", 4)]
    public async Task In_a_manifest_or_a_journal_it_ends_the_process(string prefix, int at)
    {
        await PrepareAsync();
        var name = Tamper(prefix, at);
        await using var engine = await StartAsync();
        var sentence = await engine.Ended.WaitAsync(TimeSpan.FromSeconds(20));
        AssertNames(name.Replace("/manifest", "", StringComparison.Ordinal), sentence);
    }

    /// <summary>A topic with a record in the journal, a configuration, and a process that crashed.</summary>
    private async Task PrepareAsync()
    {
        await using var engine = await StartAsync();
        await EngineRig.CreateAsync(engine, "t");
        var rig = new EngineRig();
        Assert.Equal(Protocol.ErrorCode.None, (await rig.AppendAsync(await rig.OpenAsync(engine, "t"), "record")).Error);
        var change = await engine.Topics.AlterConfigsAsync(
            ConfigResourceType.Broker, "", [new ConfigChange("log.retention.ms", ConfigOperation.Set, "1000000")], false, default);
        Assert.False(change.Failed, change.Message);
    }

    private Task<BrokerEngine> StartAsync() => BrokerEngine.StartAsync(
        new EngineParts(_ports.Runtime, _store, new BlobJournalSystem(_store, _ports.Runtime, new BlobJournalOptions()), new ArrayChunkSource(),
            BrokerSettingsParser.Parse([]).Settings),
        new Dictionary<string, AdvertisedAddress> { ["PLAINTEXT"] = new("localhost", 9092) }, CancellationToken.None).AsTask();

    /// <summary>Gives the last object of a prefix the version to come.</summary>
    private string Tamper(string prefix, int at)
    {
        var name = _store.Names.Last(n => n.StartsWith(prefix, StringComparison.Ordinal));
        _store.Tamper(name, bytes =>
        {
            bytes[at]++;
            return bytes;
        });
        return name;
    }

    private List<string> Versions() => [.. _store.Names.Select(n => $"{n} {_store.ReadAsync(n, default).Result!.ETag}")];

    private static void AssertNames(string name, string sentence)
    {
        Assert.Contains(name, sentence, StringComparison.Ordinal);
        Assert.Contains("written by a newer version of this program (format 2", sentence, StringComparison.Ordinal);
    }
}
