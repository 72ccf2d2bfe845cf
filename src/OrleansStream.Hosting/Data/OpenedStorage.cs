using OrleansStream.Broker.Configuration;
using OrleansStream.Platform.Journals;
using OrleansStream.Platform.Stores;
using OrleansStream.Storage.Journals;
using OrleansStream.Storage.Journals.Blob;
using OrleansStream.Storage.Journals.Disk;
using OrleansStream.Storage.Ports;

namespace OrleansStream.Hosting.Data;

/// <summary>
/// Where the data is: a folder with a disk journal, or a blob container with a journal of its own; or, where journal.kind says so, the one with the
/// other's journal.
/// </summary>
public sealed class OpenedStorage : IDisposable
{
    private readonly List<IDisposable> _held = [];

    private OpenedStorage() { }

    public required IObjectStore Store { get; init; }
    public required IJournalSystem Journals { get; init; }

    /// <summary>The container that has the data; null where a folder has it.</summary>
    public ContainerAddress? Container { get; init; }

    /// <summary>In words, for the banner.</summary>
    public required string Place { get; init; }

    /// <summary>
    /// Opens it. Throws what <see cref="DataFolder.Open"/> and the stores throw: <see cref="IOException"/>s whose messages are for the user.
    /// </summary>
    /// <param name="shared">Whether other processes work with the same data at the same time.</param>
    public static async Task<OpenedStorage> OpenAsync(BrokerSettings settings, bool shared, RuntimePorts ports, IChunkSource chunks, CancellationToken cancel)
    {
        var held = new List<IDisposable>();
        try
        {
            ContainerAddress? container = ContainerAddress.From(settings);
            DataFolder? folder = null;
            if (container is null || !settings.BlobJournal)
                held.Add(folder = DataFolder.Open(settings.DataFolder, shared));
            IObjectStore store;
            string place;
            if (container is not null)
            {
                store = await AzureObjectStore.OpenAsync(container.Connection, container.Container, null, cancel);
                place = container.ToString();
            }
            else
            {
                var files = new FolderObjectStore(folder!.Store);
                held.Add(files);
                store = files;
                place = folder.FullPath;
            }
            if (folder is not null)
                await new JournalHandover(settings, ports, store, chunks, folder).RunAsync(cancel);
            var storage = new OpenedStorage
            {
                Store = store,
                Container = container,
                Journals = OpenJournals(settings, ports, store, folder, held),
                Place = place + (settings.BlobJournal ? ", journal in the store" : $", journal {folder!.Journal}"),
            };
            storage._held.AddRange(held);
            return storage;
        }
        catch
        {
            held.ForEach(static h => h.Dispose());
            throw;
        }
    }

    public void Dispose()
    {
        for (int i = _held.Count - 1; i >= 0; i--)
            _held[i].Dispose();
    }

    private static IJournalSystem OpenJournals(BrokerSettings settings, RuntimePorts ports, IObjectStore store, DataFolder? folder, List<IDisposable> held)
    {
        TimeSpan linger = TimeSpan.FromMilliseconds(settings.JournalLingerMs);
        if (settings.BlobJournal)
            return new BlobJournalSystem(store, ports, new BlobJournalOptions { Linger = linger, AcceptLoss = settings.JournalAcceptLoss });
        var journal = new JournalFolder(folder!.Journal);
        held.Add(journal);
        return new DiskJournalSystem(journal, ports, new DiskJournalOptions { Linger = linger, AcceptLoss = settings.JournalAcceptLoss });
    }
}
