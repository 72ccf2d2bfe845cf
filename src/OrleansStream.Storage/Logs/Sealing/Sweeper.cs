using Microsoft.Extensions.Logging;
using OrleansStream.Storage.Journals;
using OrleansStream.Storage.Segments;

namespace OrleansStream.Storage.Logs;

/// <summary>
/// Finds what nobody names any more. Everything is listed before any manifest is read: what is listed and not named by a manifest read later, under a
/// higher leader epoch than its writer's, can never be named again.
/// </summary>
internal sealed class Sweeper(LogHost host, IJournalSystem journals)
{
    private readonly ILogger _log = host.Ports.Logs.CreateLogger<Sweeper>();

    /// <summary>Deletes all objects of a partition that has no manifest any more.</summary>
    public async ValueTask DeletePartitionAsync(PartitionId id, CancellationToken cancel)
    {
        List<string> names = [];
        await foreach (var info in host.Store.ListAsync(SegmentNames.PartitionPrefix(id), cancel))
            names.Add(info.Name);
        foreach (var name in names)
            await host.Store.DeleteAsync(name, cancel);
    }

    public async ValueTask SweepAsync(Func<PartitionId, bool> exists, Func<Guid, bool> abandoned, CancellationToken cancel)
    {
        var journalIds = await journals.ListAsync(cancel);
        // Known before any manifest is read: whoever lists such a journal afterwards made nothing durable in it.
        var fenced = journalIds.Where(host.Dead.IsFenced).ToHashSet();
        Dictionary<PartitionId, List<string>> own = [];
        await foreach (var info in host.Store.ListAsync(SegmentNames.PartitionsPrefix, cancel))
        {
            if (ManifestNames.PartitionOf(info.Name) is not { } partition)
                continue;
            if (!own.TryGetValue(partition, out var names))
                own[partition] = names = [];
            names.Add(info.Name);
        }
        List<Ports.ObjectInfo> shared = [];
        await foreach (var info in host.Store.ListAsync(SegmentNames.SharedPrefix, cancel))
            shared.Add(info);

        Dictionary<PartitionId, Named> manifests = [];
        HashSet<Guid> listed = [];
        foreach (var (partition, names) in own)
        {
            if (!exists(partition))
            {
                await host.Manifests.DeleteAsync(partition, cancel);
                await DeleteAsync(names, cancel);
                continue;
            }
            if (await ReadAsync(partition, cancel) is not { } named)
                continue;
            manifests[partition] = named;
            foreach (var journal in named.Manifest.Journals)
                listed.Add(journal.JournalId);
            await DeleteAsync(
                names.Where(name => SegmentNames.LeaderEpochOf(name) is { } epoch && epoch < named.Manifest.LeaderEpoch && !named.Objects.Contains(name)), cancel);
        }
        foreach (var info in shared)
        {
            if (!manifests.Values.Any(named => named.Objects.Contains(info.Name)) && await IsOrphanAsync(info, exists, manifests, cancel))
                await host.Store.DeleteAsync(info.Name, cancel);
        }
        await SweepJournalsAsync(journalIds, fenced, listed, exists, abandoned, cancel);
    }

    /// <summary>An object of many partitions: none that exists names it, and each has a higher epoch than its writer had.</summary>
    private async ValueTask<bool> IsOrphanAsync(
        Ports.ObjectInfo info, Func<PartitionId, bool> exists, Dictionary<PartitionId, Named> manifests, CancellationToken cancel)
    {
        foreach (var run in await SegmentDirectory.ReadAsync(host.Store, info, cancel))
        {
            if (!exists(run.Partition))
                continue;
            if (!manifests.TryGetValue(run.Partition, out var named))
            {
                // Its manifest may live elsewhere than in this store.
                if (await ReadAsync(run.Partition, cancel) is not { } read)
                    return false;
                manifests[run.Partition] = named = read;
            }
            if (named.Objects.Contains(info.Name) || named.Manifest.LeaderEpoch <= run.LeaderEpoch)
                return false;
        }
        return true;
    }

    private async ValueTask SweepJournalsAsync(
        IReadOnlyList<Guid> ids, HashSet<Guid> fenced, HashSet<Guid> listed, Func<PartitionId, bool> exists, Func<Guid, bool> abandoned, CancellationToken cancel)
    {
        List<Guid> strangers = [];
        foreach (var id in ids)
        {
            // One of our own may have been listed, filled and closed since the manifests were read.
            if (host.OpenedHere(id) && !fenced.Contains(id))
                continue;
            if (listed.Contains(id))
                host.Dead.Forget(id, partition => !exists(partition));
            else if (journals.Shared && !fenced.Contains(id))
                strangers.Add(id);
            else
                await DeleteJournalAsync(id, cancel);
        }
        strangers.RemoveAll(id => !abandoned(id));
        await SweepStrangersAsync(strangers, cancel);
    }

    /// <summary>
    /// Journals that others wrote, that this process never fenced, and that no manifest listed. Their writers may live, and may have listed them since. So the
    /// fence comes first, and then another look at all manifests: what is durable in such a journal was put before the fence, hence after the swap that listed
    /// it. If no manifest lists it now, all of that is sealed or its partitions are gone; whoever lists it later makes nothing durable in it.
    /// </summary>
    private async ValueTask SweepStrangersAsync(List<Guid> strangers, CancellationToken cancel)
    {
        List<Guid> dead = [];
        foreach (var id in strangers)
        {
            try
            {
                await journals.FenceAsync(id, cancel);
                dead.Add(id);
            }
            catch (IOException e) when (e is JournalCorruptException or UnsupportedFormatException)
            {
                _log.LogWarning("Journal {Journal} is listed by no manifest, and is left alone: {Reason}", id, e.Message);
            }
        }
        if (dead.Count == 0)
            return;
        var listed = await ListedJournalsAsync(cancel);
        foreach (var id in dead)
        {
            if (!listed.Contains(id))
                await DeleteJournalAsync(id, cancel);
        }
    }

    /// <summary>The journals that any manifest in the store lists, whether the catalogue knows its partition or not.</summary>
    private async ValueTask<HashSet<Guid>> ListedJournalsAsync(CancellationToken cancel)
    {
        HashSet<PartitionId> partitions = [];
        await foreach (var info in host.Store.ListAsync(SegmentNames.PartitionsPrefix, cancel))
        {
            if (ManifestNames.PartitionOf(info.Name) is { } partition)
                partitions.Add(partition);
        }
        HashSet<Guid> listed = [];
        foreach (var partition in partitions)
        {
            if (await host.Manifests.LoadAsync(partition, cancel) is not { } stored)
                continue;
            foreach (var journal in ManifestCodec.Decode(partition, stored.Content.Span).Journals)
                listed.Add(journal.JournalId);
        }
        return listed;
    }

    private async ValueTask DeleteJournalAsync(Guid id, CancellationToken cancel)
    {
        host.Dead.Forget(id, static _ => true);
        await journals.DeleteAsync(id, cancel);
    }

    private async ValueTask<Named?> ReadAsync(PartitionId partition, CancellationToken cancel)
    {
        if (await host.Manifests.LoadAsync(partition, cancel) is not { } stored)
            return null;
        var manifest = ManifestCodec.Decode(partition, stored.Content.Span);
        var objects = manifest.NamedObjects().ToHashSet(StringComparer.Ordinal);
        foreach (var index in manifest.Indexes)
        {
            if (await host.Store.ReadAsync(index.Name, cancel) is not { } runs)
                throw new LogCorruptException($"Partition {partition}: the index object '{index.Name}' is missing.");
            foreach (var run in ManifestCodec.DecodeIndex(partition, runs.Content.Span))
                objects.Add(run.ObjectName);
        }
        return new Named(manifest, objects);
    }

    private async ValueTask DeleteAsync(IEnumerable<string> names, CancellationToken cancel)
    {
        foreach (var name in names)
            await host.Store.DeleteAsync(name, cancel);
    }

    private sealed record Named(Manifest Manifest, HashSet<string> Objects);
}
