using System.Collections.Immutable;
using OrleansStream.Broker.Topics;
using OrleansStream.Storage.Ports;

namespace OrleansStream.Broker.Configuration;

/// <summary>A resource whose configuration is kept in the object cluster/configs: everything except topics.</summary>
internal readonly record struct ConfigResource(ConfigResourceType Type, string Name);

/// <summary>What was set while the cluster ran, by resource.</summary>
internal sealed record StoredConfigs(ImmutableDictionary<ConfigResource, ImmutableDictionary<string, string>> Resources)
{
    public static readonly StoredConfigs Empty = new(ImmutableDictionary<ConfigResource, ImmutableDictionary<string, string>>.Empty);

    public static readonly CellCodec<StoredConfigs> Codec = new(CellKind.Configs, 1, Write, Read);

    public ImmutableDictionary<string, string> Of(ConfigResourceType type, string name) =>
        Resources.GetValueOrDefault(new ConfigResource(type, name)) ?? ImmutableDictionary<string, string>.Empty;

    public IReadOnlyList<string> Names(ConfigResourceType type) =>
        [.. Resources.Keys.Where(r => r.Type == type).Select(static r => r.Name).Order(StringComparer.Ordinal)];

    public StoredConfigs With(ConfigResourceType type, string name, ImmutableDictionary<string, string> values)
    {
        var resource = new ConfigResource(type, name);
        return new StoredConfigs(values.IsEmpty ? Resources.Remove(resource) : Resources.SetItem(resource, values));
    }

    private static void Write(StoredConfigs configs, CellWriter writer)
    {
        writer.Int(configs.Resources.Count);
        foreach (var (resource, values) in configs.Resources.OrderBy(r => r.Key.Type).ThenBy(r => r.Key.Name, StringComparer.Ordinal))
        {
            writer.Byte((byte)resource.Type);
            writer.Text(resource.Name);
            writer.Map(values);
        }
    }

    private static StoredConfigs Read(CellReader reader)
    {
        var count = reader.Int();
        var resources = ImmutableDictionary.CreateBuilder<ConfigResource, ImmutableDictionary<string, string>>();
        for (var i = 0; i < count; i++)
            resources.Add(new ConfigResource((ConfigResourceType)reader.Byte(), reader.Text()), reader.Map().ToImmutableDictionary());
        return new StoredConfigs(resources.ToImmutable());
    }
}

/// <summary>The settings of this broker as they are now: those given at start, and over them what was set while the cluster ran.</summary>
internal sealed class ConfigStore
{
    private readonly StoredCell<StoredConfigs> _cell;
    private readonly BrokerSettings _atStart;
    private readonly Lock _lock = new();
    private BrokerSettings _settings;

    private ConfigStore(StoredCell<StoredConfigs> cell, BrokerSettings atStart)
    {
        _cell = cell;
        _atStart = atStart;
        _settings = atStart;
    }

    /// <summary>The settings in force.</summary>
    public BrokerSettings Settings => Volatile.Read(ref _settings);

    public StoredConfigs Stored => _cell.Value ?? StoredConfigs.Empty;

    /// <summary>Called after the settings changed.</summary>
    public Action? Changed { get; set; }

    public static async ValueTask<ConfigStore> LoadAsync(IObjectStore store, RuntimePorts ports, BrokerSettings settings, CancellationToken cancel)
    {
        var cell = new StoredCell<StoredConfigs>(store, ports, "cluster/configs", StoredConfigs.Codec);
        var configs = new ConfigStore(cell, settings);
        await cell.LoadAsync(cancel);
        configs.Apply();
        return configs;
    }

    /// <summary>The layers that this broker has with <paramref name="stored"/> on top.</summary>
    public ConfigLayers LayersWith(StoredConfigs stored) => _atStart.Layers with
    {
        ClusterDefault = stored.Of(ConfigResourceType.Broker, ""),
        ThisBroker = stored.Of(ConfigResourceType.Broker, NodeName),
    };

    public string NodeName => _atStart.NodeId.ToString(System.Globalization.CultureInfo.InvariantCulture);

    /// <summary>Changes one resource's values, durably. Errors as <see cref="StoredCell{T}.UpdateAsync"/>.</summary>
    public async ValueTask UpdateAsync(
        ConfigResourceType type, string name, Func<ImmutableDictionary<string, string>, ImmutableDictionary<string, string>> change, CancellationToken cancel)
    {
        await _cell.UpdateAsync(there => (there ?? StoredConfigs.Empty) is var now ? now.With(type, name, change(now.Of(type, name))) : null, cancel);
        Apply();
    }

    /// <summary>Reads again what other writers have changed. Throws <see cref="StoreUnavailableException"/>.</summary>
    public async ValueTask ReloadAsync(CancellationToken cancel)
    {
        await _cell.LoadAsync(cancel);
        Apply();
    }

    private void Apply()
    {
        lock (_lock)
            Volatile.Write(ref _settings, BrokerSettings.From(LayersWith(Stored)));
        Changed?.Invoke();
    }
}
