using OrleansStream.Broker.Cluster;
using OrleansStream.Broker.Configuration;
using OrleansStream.Broker.Engine;
using OrleansStream.Broker.Topics;
using OrleansStream.Protocol;
using OrleansStream.TestSupport;

namespace OrleansStream.Broker.Tests.Topics;

/// <summary>A catalogue and its admin over a store in memory, without an engine.</summary>
internal sealed class AdminFixture
{
    public TestPorts Ports { get; } = new();
    public MemoryObjectStore Store { get; private init; } = new();
    public TopicCatalogue Catalogue { get; private init; } = null!;
    public ConfigStore Configs { get; private init; } = null!;
    public ClusterView View { get; private init; } = null!;
    public TopicAdmin Admin { get; private init; } = null!;

    public static async Task<AdminFixture> OpenAsync(MemoryObjectStore? store = null, params string[] settings)
    {
        var ports = new TestPorts(Random.Shared.Next());
        store ??= new MemoryObjectStore();
        var parsed = BrokerSettingsParser.Parse(settings.Select(s => s.Split('=', 2)).Select(s => new KeyValuePair<string, string>(s[0], s[1])));
        var catalogue = await TopicCatalogue.LoadAsync(store, ports.Runtime, onlyWriter: true, CancellationToken.None, CancellationToken.None);
        var configs = await ConfigStore.LoadAsync(store, ports.Runtime, parsed.Settings, CancellationToken.None);
        var view = new ClusterView(
            catalogue, configs, ports.Runtime, "cluster",
            new Leadership(
                parsed.Settings.NodeId,
                ClusterAssignment.Sole(new BrokerPicture(parsed.Settings.NodeId, null, new Dictionary<string, AdvertisedAddress>()))),
            _ => -1);
        return new AdminFixture { Store = store, Catalogue = catalogue, Configs = configs, View = view, Admin = new TopicAdmin(catalogue, view, configs, ports.Runtime) };
    }

    public static NewTopic Topic(string name, int partitions = 1, int factor = 1, params string[] configs) => new(
        name, partitions, (short)factor, [], configs.Select(c => c.Split('=', 2)).ToDictionary(c => c[0], c => (string?)c[1]));

    public async Task<string> CreateAsync(NewTopic topic, bool validateOnly = false)
    {
        var outcome = await Admin.CreateAsync(topic, validateOnly, CancellationToken.None);
        Assert.Equal(outcome.Error.Failed, outcome.Topic is null);
        return Show(outcome.Error);
    }

    public async Task<string> AlterAsync(ConfigResourceType type, string name, params (string Name, ConfigOperation Operation, string? Value)[] changes) =>
        Show(await Admin.AlterConfigsAsync(type, name, [.. changes.Select(c => new ConfigChange(c.Name, c.Operation, c.Value))], false, CancellationToken.None));

    /// <summary>value@Source [name=value@Source;...], as the answers of the real broker were written down.</summary>
    public async Task<string> DescribeAsync(ConfigResourceType type, string name, string config)
    {
        var (error, entries) = await Admin.DescribeConfigsAsync(type, name, [config], CancellationToken.None);
        if (error.Failed)
            return Show(error);
        return entries.SingleOrDefault() is { } entry
            ? $"{entry.Value}@{entry.Source} [{string.Concat(entry.Synonyms.Select(s => $"{s.Name}={s.Value}@{s.Source};"))}]" : "none";
    }

    public static string Show(AdminError error) => error.Failed ? $"{error.Code}: {error.Message}" : "ok";
}
