using Microsoft.Extensions.Logging;
using OrleansStream.Broker.Topics;
using OrleansStream.Storage;
using OrleansStream.Storage.Logs;
using OrleansStream.Storage.Ports;

namespace OrleansStream.Broker.Engine;

/// <summary>
/// Looks now and then for objects that nobody names any more: orphans of failed seals, leftovers of deleted topics, data of dead journals. In a cluster the
/// controller's broker does it for all.
/// </summary>
/// <param name="isStillMine">
/// Whether nobody else has begun to serve the store. Then the journal of another process that no manifest lists is that of a dead or a superseded one: at once
/// where this process serves alone; in a cluster, where it may be that of a silo that leads nothing yet, once it was found so for long. (Such a silo that is
/// meant all the same opens another journal, and loses nothing.) A process that was itself superseded leaves such journals alone, so that two do not fence each other in turn.
/// </param>
internal sealed class Housekeeping(
    EngineParts parts, LogHost host, TopicCatalogue catalogue, Func<bool> isController, Func<CancellationToken, ValueTask<bool>> isStillMine,
    CancellationToken stopping)
{
    private const int PauseGrowth = 4;

    private readonly ILogger _log = parts.Ports.Logs.CreateLogger<Housekeeping>();

    /// <summary>
    /// Topic ids that were seen in the store and were in nobody's catalogue afterwards. A topic is in the catalogue before anything is stored for it, and an id
    /// is never used again: so they are gone for good. Needed where other processes may create topics that this one has not heard of.
    /// </summary>
    private readonly HashSet<Guid> _gone = [];

    /// <summary>Journals of others that no manifest listed, in a cluster, and since when: timestamps of the clock.</summary>
    private Dictionary<Guid, long> _unlisted = [];

    public async Task RunAsync()
    {
        var pause = parts.FirstSweep;
        while (true)
        {
            try
            {
                await Task.Delay(pause, parts.Ports.Time, stopping);
                // Often at first, when an earlier process has left most of what there is to find, and its last records are about to be sealed.
                pause = pause * PauseGrowth < parts.SweepEvery ? pause * PauseGrowth : parts.SweepEvery;
                if (isController())
                    await SweepAsync();
            }
            catch (OperationCanceledException) when (stopping.IsCancellationRequested)
            {
                return;
            }
            catch (IOException e)
            {
                _log.LogWarning("The search for what nobody names any more did not finish: {Reason}", e.Message);
            }
        }
    }

    private async ValueTask SweepAsync()
    {
        HashSet<Guid> strange = [];
        var known = Known();
        bool Exists(PartitionId id)
        {
            // What is not known may have been created, or grown, since the last look.
            if (!known.TryGetValue(id.TopicId, out var partitions) || id.Index >= partitions)
                known = Known();
            // Partitions are added and never taken away: more than are known here are of another process, of which this one has not heard.
            if (known.TryGetValue(id.TopicId, out partitions))
                return id.Index < partitions || parts.Journals.Shared;
            if (!parts.Journals.Shared || _gone.Contains(id.TopicId))
                return false;
            strange.Add(id.TopicId);
            return true;
        }
        try
        {
            var mine = await isStillMine(stopping);
            var before = _unlisted;
            _unlisted = [];
            await host.SweepAsync(Exists, id => mine && (parts.Host is null || UnlistedForLong(id, before)), stopping);
        }
        finally
        {
            if (strange.Count > 0)
            {
                await catalogue.ReloadAsync(stopping);
                strange.ExceptWith(Known().Keys);
                _gone.UnionWith(strange);
            }
        }
    }

    private bool UnlistedForLong(Guid journal, Dictionary<Guid, long> before)
    {
        var now = parts.Ports.Time.GetTimestamp();
        var since = before.GetValueOrDefault(journal, now);
        _unlisted[journal] = since;
        return parts.Ports.Time.GetElapsedTime(since, now) >= parts.AbandonedAfter;
    }

    /// <summary>Partitions of every topic that lives, and of those whose removal is <see cref="TopicRemoval"/>'s business.</summary>
    private Dictionary<Guid, int> Known()
    {
        var known = catalogue.Topics().ToDictionary(t => t.Topic.Id, t => t.Topic.Partitions);
        foreach (var (_, doomed) in catalogue.Doomed())
            known.TryAdd(doomed.Id, doomed.Partitions);
        return known;
    }
}
