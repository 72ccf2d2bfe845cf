using Microsoft.Extensions.Logging;
using OrleansStream.Broker.Configuration;
using OrleansStream.Broker.Engine;
using OrleansStream.Broker.Topics;
using OrleansStream.Platform.Journals;
using OrleansStream.Storage.Journals;
using OrleansStream.Storage.Journals.Blob;
using OrleansStream.Storage.Journals.Disk;
using OrleansStream.Storage.Ports;

namespace OrleansStream.Hosting.Data;

/// <summary>
/// A folder may have been left with the other kind of journal: files of one process, or numbered objects of several. Neither kind can replay the other's, so
/// an engine of that kind takes the partitions for a moment, before the real one starts: it replays, seals, and leaves nothing that a manifest lists.
/// </summary>
/// <remarks>
/// Files of one process are locked while that is done; a process that keeps its journal in files has the whole folder to itself. So nobody else writes meanwhile,
/// except that silos which start at the same moment refuse, once.
/// </remarks>
internal sealed class JournalHandover(BrokerSettings settings, RuntimePorts ports, IObjectStore store, IChunkSource chunks, DataFolder folder)
{
    private readonly ILogger _log = ports.Logs.CreateLogger<JournalHandover>();

    /// <summary>Errors as <see cref="BrokerEngine.StartAsync"/> and <see cref="BrokerEngine.StopAsync"/>.</summary>
    public async Task RunAsync(CancellationToken cancel)
    {
        if (settings.BlobJournal)
            await FromDiskAsync(cancel);
        else
            await FromStoreAsync(cancel);
    }

    private async Task FromDiskAsync(CancellationToken cancel)
    {
        if (!Directory.Exists(folder.Journal))
            return;
        using (var files = new JournalFolder(folder.Journal))
        {
            var journals = new DiskJournalSystem(files, ports, new DiskJournalOptions { AcceptLoss = settings.JournalAcceptLoss });
            if ((await journals.ListAsync(cancel)).Count > 0)
                await SealAsync(journals, "files of one process", cancel);
        }
        // Nothing names it any more; left there, the next start would do all this again.
        Directory.Delete(folder.Journal, recursive: true);
    }

    private async Task FromStoreAsync(CancellationToken cancel)
    {
        var journals = new BlobJournalSystem(store, ports, new BlobJournalOptions { AcceptLoss = settings.JournalAcceptLoss });
        if ((await journals.ListAsync(cancel)).Count == 0)
            return;
        await SealAsync(journals, "objects in the store", cancel);
        foreach (Guid journal in await journals.ListAsync(cancel))
            await journals.DeleteAsync(journal, cancel);
    }

    private async Task SealAsync(IJournalSystem journals, string kind, CancellationToken cancel)
    {
        _log.LogInformation("The last journals of this folder were {Kind}: what they hold is sealed first", kind);
        var parts = new EngineParts(ports, store, journals, chunks, settings);
        await using BrokerEngine engine = await BrokerEngine.StartAsync(parts, new Dictionary<string, AdvertisedAddress>(), cancel);
        await engine.Recovered.WaitAsync(cancel);
        await engine.StopAsync(cancel);
    }
}
