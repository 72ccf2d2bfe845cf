using System.Collections.Concurrent;
using Microsoft.Extensions.Logging;
using OrleansStream.Storage.Ports;

namespace OrleansStream.Broker.Topics;

/// <summary>
/// The topics, durably: one object topics/&lt;name&gt; each, loaded at start, compared and swapped on every change. What this class shows is durable.
/// </summary>
internal sealed class TopicCatalogue
{
    private const string Prefix = "topics/";
    private const int LoadWidth = 16;

    private readonly IObjectStore _store;
    private readonly RuntimePorts _ports;
    private readonly ILogger _log;
    private readonly bool _onlyWriter;
    private readonly CancellationToken _stopping;
    private readonly ConcurrentDictionary<string, StoredCell<TopicRecord>> _cells = new(StringComparer.Ordinal);
    private readonly Lock _collisionLock = new();
    private readonly Dictionary<string, SortedSet<string>> _collisions = new(StringComparer.Ordinal);

    private TopicCatalogue(IObjectStore store, RuntimePorts ports, bool onlyWriter, CancellationToken stopping)
    {
        _store = store;
        _ports = ports;
        _onlyWriter = onlyWriter;
        _stopping = stopping;
        _log = ports.Logs.CreateLogger<TopicCatalogue>();
    }

    /// <summary>Called, with its name, after a topic changed, on whatever thread changed it: be short.</summary>
    public Action<string>? Changed { get; set; }

    /// <summary>Reads every topic. Throws <see cref="StoreUnavailableException"/>, and what <see cref="CellFormat.Open"/> throws.</summary>
    /// <param name="onlyWriter">No other process writes to this store, so that the object of a deleted topic can be removed for good.</param>
    /// <param name="stopping">Ends what goes on in the background.</param>
    public static async ValueTask<TopicCatalogue> LoadAsync(
        IObjectStore store, RuntimePorts ports, bool onlyWriter, CancellationToken stopping, CancellationToken cancel)
    {
        var catalogue = new TopicCatalogue(store, ports, onlyWriter, stopping);
        await catalogue.ReloadAsync(cancel);
        return catalogue;
    }

    /// <summary>Reads every topic again, for what other writers have changed. Throws as <see cref="LoadAsync"/>.</summary>
    public async ValueTask ReloadAsync(CancellationToken cancel)
    {
        List<string> names = [];
        await foreach (var info in _store.ListAsync(Prefix, cancel))
            names.Add(info.Name[Prefix.Length..]);
        await ReloadAsync(names, cancel);
    }

    /// <summary>The same for topics that are known by name.</summary>
    public async ValueTask ReloadAsync(IReadOnlyCollection<string> topics, CancellationToken cancel)
    {
        string[] names = [.. topics];
        var next = 0;
        async Task LoadSomeAsync()
        {
            // Runs on in turns between awaits: the index is taken before the first of them.
            while (Interlocked.Increment(ref next) - 1 is var index && index < names.Length)
            {
                await Cell(names[index]).LoadAsync(cancel);
                Noted(names[index]);
            }
        }
        await Task.WhenAll(Enumerable.Range(0, Math.Min(LoadWidth, names.Length)).Select(_ => LoadSomeAsync()));
    }

    public StoredTopic? Find(string name) => _cells.TryGetValue(name, out var cell) ? cell.Value?.Live : null;

    /// <summary>Every topic that lives, in the order of the names: a hash's order would differ from run to run.</summary>
    public IEnumerable<(string Name, StoredTopic Topic)> Topics()
    {
        foreach (var (name, cell) in Sorted())
        {
            if (cell.Value?.Live is { } live)
                yield return (name, live);
        }
    }

    /// <summary>Deleted topics whose data is still to be removed.</summary>
    public IEnumerable<(string Name, DoomedTopic Topic)> Doomed()
    {
        foreach (var (name, cell) in Sorted())
        {
            foreach (var doomed in cell.Value?.Doomed ?? [])
                yield return (name, doomed);
        }
    }

    public bool HasDoomed(string name) => _cells.TryGetValue(name, out var cell) && cell.Value is { Doomed.Count: > 0 };

    /// <summary>A topic whose name would be the same in Kafka's metrics, other than <paramref name="name"/> itself.</summary>
    public string? Colliding(string name)
    {
        if (!TopicNames.HasCollisionChars(name))
            return null;
        lock (_collisionLock)
            return _collisions.TryGetValue(TopicNames.Unified(name), out var same) ? same.FirstOrDefault(s => s != name) : null;
    }

    /// <summary>Creates the topic unless one of that name lives; answers the one that lives afterwards.</summary>
    public async ValueTask<StoredTopic> CreateAsync(string name, StoredTopic topic, CancellationToken cancel)
    {
        var record = await UpdateAsync(name, there => there?.Live is null ? new TopicRecord(topic, there?.Doomed ?? []) : null, cancel);
        return record!.Live!;
    }

    /// <summary>Changes the topic of that id; null where it lives no more.</summary>
    public async ValueTask<StoredTopic?> ChangeAsync(string name, Guid id, Func<StoredTopic, StoredTopic?> change, CancellationToken cancel)
    {
        var record = await UpdateAsync(
            name, there => there?.Live is { } live && live.Id == id && change(live) is { } next ? there with { Live = next } : null, cancel);
        return record?.Live is { } now && now.Id == id ? now : null;
    }

    /// <summary>Ends the topic of that id; its data is removed later. False where it lives no more.</summary>
    public async ValueTask<bool> DeleteAsync(string name, Guid id, CancellationToken cancel)
    {
        var ended = false;
        await UpdateAsync(name, there =>
        {
            if (there?.Live is not { } live || live.Id != id)
                return null;
            ended = true;
            return new TopicRecord(null, [.. there.Doomed, new DoomedTopic(live.Id, live.Partitions)]);
        }, cancel);
        return ended;
    }

    /// <summary>The data of a deleted topic is gone.</summary>
    public async ValueTask ForgetAsync(string name, Guid id, CancellationToken cancel)
    {
        await UpdateAsync(name, there => there is not null && there.Doomed.Any(d => d.Id == id)
            ? there with { Doomed = [.. there.Doomed.Where(d => d.Id != id)] } : null, cancel);
        // With other writers about, an empty record stays: a removal has no condition, and could meet the name's next topic.
        if (_onlyWriter)
            await Cell(name).DeleteAsync(there => there is { Empty: true }, cancel);
    }

    private async ValueTask<TopicRecord?> UpdateAsync(string name, Func<TopicRecord?, TopicRecord?> change, CancellationToken cancel)
    {
        try
        {
            return await Cell(name).UpdateAsync(change, cancel);
        }
        catch (StoreUnavailableException)
        {
            // The write may have happened: look until the store is back, so that what is shown is what is there.
            _ports.Scheduler.Start($"refresh topic {name}", () => RefreshAsync(name));
            throw;
        }
        finally
        {
            Noted(name);
        }
    }

    private async Task RefreshAsync(string name)
    {
        var pause = TimeSpan.FromMilliseconds(100);
        while (true)
        {
            try
            {
                await Task.Delay(pause, _ports.Time, _stopping);
                await Cell(name).LoadAsync(_stopping);
                Noted(name);
                return;
            }
            catch (OperationCanceledException) when (_stopping.IsCancellationRequested)
            {
                return;
            }
            catch (StoreUnavailableException e)
            {
                _log.LogWarning("topic {Name} cannot be read: {Reason}", name, e.Message);
                pause = pause * 2 > TimeSpan.FromSeconds(10) ? TimeSpan.FromSeconds(10) : pause * 2;
            }
        }
    }

    private IEnumerable<KeyValuePair<string, StoredCell<TopicRecord>>> Sorted() => _cells.OrderBy(c => c.Key, StringComparer.Ordinal);

    private StoredCell<TopicRecord> Cell(string name) =>
        _cells.GetOrAdd(name, static (n, self) => new StoredCell<TopicRecord>(self._store, self._ports, Prefix + n, TopicRecord.Codec), this);

    private void Noted(string name)
    {
        if (TopicNames.HasCollisionChars(name))
        {
            lock (_collisionLock)
            {
                var unified = TopicNames.Unified(name);
                if (Find(name) is not null)
                {
                    if (!_collisions.TryGetValue(unified, out var same))
                        _collisions[unified] = same = new SortedSet<string>(StringComparer.Ordinal);
                    same.Add(name);
                }
                else if (_collisions.TryGetValue(unified, out var same))
                {
                    same.Remove(name);
                }
            }
        }
        Changed?.Invoke(name);
    }
}
