using OrleansStream.Storage.Journals;
using OrleansStream.Storage.Journals.Blob;
using OrleansStream.Storage.Logs;
using OrleansStream.TestSupport;

namespace OrleansStream.Storage.Tests.Logs;

/// <summary>What the sweep does with journals that no manifest lists and that this process never fenced.</summary>
public sealed class JournalSweepTests
{
    private readonly LogRig _rig = new();

    [Fact]
    public async Task Journals_of_dead_processes_go_and_listed_ones_stay()
    {
        for (var life = 0; life < 3; life++)
            await (await _rig.StartAsync()).DisposeAsync();
        var leads = await _rig.StartAsync();
        (await LogRig.OpenAsync(leads)).Append(Batches.Sequence(Batches.Make(1, 10, 1)));

        await using var host = await _rig.StartAsync();
        await host.SweepAsync(static _ => true, static _ => false, default);
        Assert.Equal(5, _rig.Journals.Ids.Count);
        await host.SweepAsync(static _ => true, static _ => true, default);
        Assert.Equal(new[] { leads.JournalId!.Value, host.JournalId!.Value }.Order(), _rig.Journals.Ids.Order());
        Assert.Equal(0, _rig.Journals.Replays);
        await leads.DisposeAsync();
    }

    [Fact]
    public async Task A_journal_that_is_listed_and_written_before_the_fence_stays()
    {
        await using var starting = await _rig.StartAsync();
        await using var host = await _rig.StartAsync();
        _rig.Journals.BeforeFence = async id =>
        {
            if (id != starting.JournalId)
                return;
            // The manifests have been read, the fence does not stand yet.
            _rig.Journals.BeforeFence = null;
            var log = await LogRig.OpenAsync(starting);
            Assert.Equal(LogStatus.Ok, await log.Append(Batches.Sequence(Batches.Make(1, 10, 1))).Durable);
        };
        await host.SweepAsync(static _ => true, static _ => true, default);
        Assert.Null(_rig.Journals.BeforeFence);
        Assert.Equal(2, _rig.Journals.Ids.Count);
        Assert.Equal(1, (await LogRig.OpenAsync(host)).EndOffset);
    }

    [Fact]
    public async Task A_living_process_whose_journal_went_opens_another_and_goes_on()
    {
        await using var idle = await StartOnBlobsAsync();
        await using var host = await StartOnBlobsAsync();
        var before = idle.JournalId!.Value;
        await host.SweepAsync(static _ => true, static _ => true, default);
        // Its data went; the marker that keeps its writer out stays, with the tombstone.
        Assert.Equal([FenceMarker.Length, BlockHeader.Size], await LengthsAsync(before));

        // It has not noticed: it lists the journal, and its first append finds out.
        var log = await LogRig.OpenAsync(idle);
        Assert.Equal(LogStatus.NotLeader, await log.Append(Batches.Sequence(Batches.Make(1, 10, 1))).Durable);
        await _rig.UntilAsync(() => idle.JournalId is { } id && id != before);
        var again = await LogRig.OpenAsync(idle);
        Assert.Equal(LogStatus.Ok, await again.Append(Batches.Sequence(Batches.Make(1, 10, 1))).Durable);
        Assert.Equal([FenceMarker.Length, BlockHeader.Size], await LengthsAsync(before));
    }

    private async Task<LogHost> StartOnBlobsAsync()
    {
        var journals = new BlobJournalSystem(_rig.Store, _rig.Ports.Runtime, new BlobJournalOptions());
        var host = new LogHost(_rig.Ports.Runtime, _rig.Store, journals, new ArrayChunkSource(), _rig.Options);
        await host.StartAsync(default);
        return host;
    }

    private async Task<List<long>> LengthsAsync(Guid journal)
    {
        List<long> lengths = [];
        await foreach (var info in _rig.Store.ListAsync(JournalObjectName.Prefix(journal), default))
            lengths.Add(info.Length);
        return lengths;
    }
}
