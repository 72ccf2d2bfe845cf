using OrleansStream.Storage.Journals;
using OrleansStream.Storage.Journals.Blob;
using OrleansStream.Storage.Logs;
using OrleansStream.TestSupport;

namespace OrleansStream.Storage.Tests.Logs;

/// <summary>
/// How long the partitions of a killed process are away is how many journal objects it leaves: each commit is one, however small. The sealer bounds them.
/// </summary>
public sealed class JournalObjectsBoundTests
{
    private const int Appends = 300;
    private const int Objects = 40;

    [Theory]
    [InlineData(3)]
    [InlineData(60)]
    public async Task Small_commits_are_sealed_before_they_are_too_many_to_replay(int partitions)
    {
        var rig = new LogRig { Options = new LogOptions { MemoryBudgetBytes = 64 << 20, WarmBytes = 0, RetryMs = 1, MaxRetryMs = 2, JournalMaxObjects = Objects } };
        var journals = new BlobJournalSystem(rig.Store, rig.Ports.Runtime, new BlobJournalOptions());
        await using var host = new LogHost(rig.Ports.Runtime, rig.Store, journals, new ArrayChunkSource(), rig.Options);
        await host.StartAsync(default);
        List<PartitionLog> logs = [];
        for (var i = 0; i < partitions; i++)
            logs.Add(await LogRig.OpenAsync(host, i));
        for (var i = 0; i < Appends; i++)
            Assert.Equal(LogStatus.Ok, await logs[i % partitions].Append(Batches.Sequence(Batches.Make(1, 10, 1))).Durable);

        // A manifest's swap costs what a commit costs: with many partitions there may be more objects.
        var bound = Math.Max(Objects, 8 * partitions);
        if (bound > Appends)
        {
            var looks = 0;
            await rig.UntilAsync(() => looks++ == 200);
            Assert.All(logs, static log => Assert.Equal(0, log.SealedEndOffset));
            return;
        }
        await rig.UntilAsync(() => Kept(host) < bound);
        Assert.Contains(logs, static log => log.SealedEndOffset > 0);
    }

    private static int Kept(LogHost host) => host.CurrentJournal is { } journal ? journal.Backlog().Objects : 0;
}
