using OrleansStream.Storage.Journals.Blob;
using OrleansStream.Storage.Logs;
using OrleansStream.Storage.Ports;
using OrleansStream.TestSupport;

namespace OrleansStream.Storage.Tests.Logs;

/// <summary>One log is given up, the others go on.</summary>
public class LogHandoverTests
{
    private readonly LogRig _rig = new();

    private Manifest ManifestOf(int index) => ManifestOf(_rig.Store, index);

    private static Manifest ManifestOf(MemoryObjectStore store, int index)
    {
        var stored = store.ReadAsync(ManifestNames.Manifest(LogRig.Partition(index)), default).AsTask().Result!;
        return ManifestCodec.Decode(LogRig.Partition(index), stored.Content.Span);
    }

    [Fact]
    public async Task A_released_log_is_sealed_leaves_the_manifest_and_gives_its_memory_back()
    {
        await using var host = await _rig.StartAsync();
        var log = await LogRig.OpenAsync(host, 0);
        var other = await LogRig.OpenAsync(host, 1);
        for (var i = 0; i < 20; i++)
            await log.Append(Batches.Sequence(Batches.Make(1, 1000, 1))).Durable;
        await other.Append(Batches.Sequence(Batches.Make(1, 10, 2))).Durable;
        var before = host.Memory.UsedBytes;
        var watcher = new Watcher();
        using var watching = log.Watch(watcher);

        await host.ReleaseAsync(log.Id, default);
        Assert.Equal(LogStatus.NotLeader, log.Append(Batches.Sequence(Batches.Make(1, 10, 1))).Status);
        Assert.Equal(LogStatus.NotLeader, (await log.ReadAsync(0, 1000, true, long.MaxValue, default)).Status);
        Assert.True(watcher.Calls > 0);
        Assert.True(log.SteppedDown.IsCompleted);
        Assert.True(host.Memory.UsedBytes < before);
        var manifest = ManifestOf(0);
        Assert.Equal((20, 0), (manifest.SealedEndOffset, manifest.Journals.Length));
        Assert.Single(ManifestOf(1).Journals);
        Assert.Equal(LogStatus.Ok, await other.Append(Batches.Sequence(Batches.Make(1, 10, 2))).Durable);

        // No effect where there is nothing to release; and the same process may have it again.
        await host.ReleaseAsync(log.Id, default);
        var again = await LogRig.OpenAsync(host, 0);
        Assert.Equal((1, 20), (again.LeaderEpoch, again.HighWatermark));
        await again.Append(Batches.Sequence(Batches.Make(1, 10, 1))).Durable;
        await host.ReleaseAsync(log.Id, default);
        Assert.Equal(21, ManifestOf(0).SealedEndOffset);
        Assert.Equal(0, _rig.Journals.Replays);
    }

    [Fact]
    public async Task A_release_waits_for_the_appends_in_flight()
    {
        _rig.Journals.AutoCommit = false;
        await using var host = await _rig.StartAsync();
        var log = await LogRig.OpenAsync(host, 0);
        var other = await LogRig.OpenAsync(host, 1);
        var durable = other.Append(Batches.Sequence(Batches.Make(3, 100, 1))).Durable;
        _rig.Journals.Opened[0].Commit();
        await durable;
        var append = log.Append(Batches.Sequence(Batches.Make(3, 100, 1)));
        var releasing = host.ReleaseAsync(log.Id, default).AsTask();
        Assert.Equal(LogStatus.NotLeader, log.Append(Batches.Sequence(Batches.Make(1, 10, 1))).Status);
        // A log with as much to seal and nothing in flight is released meanwhile.
        await host.ReleaseAsync(other.Id, default);
        Assert.False(append.Durable.IsCompleted || releasing.IsCompleted);
        _rig.Journals.Opened[0].Commit();
        Assert.Equal(LogStatus.Ok, await append.Durable);
        await releasing;
        Assert.Equal((3, 0), (ManifestOf(0).SealedEndOffset, ManifestOf(0).Journals.Length));
    }

    [Fact]
    public async Task Sealing_ahead_leaves_little_to_do_and_the_log_goes_on()
    {
        await using var host = await _rig.StartAsync();
        var log = await LogRig.OpenAsync(host);
        await log.Append(Batches.Sequence(Batches.Make(3, 100, 1))).Durable;
        await host.SealAsync(log.Id, default);
        Assert.Equal(3, ManifestOf(0).SealedEndOffset);
        Assert.Equal(LogStatus.Ok, await log.Append(Batches.Sequence(Batches.Make(3, 100, 1))).Durable);
        Assert.Equal(6, log.HighWatermark);
        await host.SealAsync(LogRig.Partition(9), default);
    }

    [Fact]
    public async Task What_was_left_unsealed_is_not_taken_for_nothing_when_the_partition_comes_back()
    {
        // Real journals: one process fences the other's, which does not notice, as nothing is appended to it.
        var store = new MemoryObjectStore();
        var ports = new TestPorts(5);
        await using var first = await StartAsync(1);
        await using var second = await StartAsync(2);
        var log = await LogRig.OpenAsync(first);
        await log.Append(Batches.Sequence(Batches.Make(2, 100, 1))).Durable;
        // The second cannot seal what it takes over.
        store.BeforeCall = (operation, name) => operation == "create" && name.StartsWith("partitions/", StringComparison.Ordinal)
            ? throw new StoreUnavailableException("away") : ValueTask.CompletedTask;
        var taken = await LogRig.OpenAsync(second);
        Assert.Equal(2, taken.HighWatermark);
        using var cancelled = new CancellationTokenSource();
        var releasing = first.ReleaseAsync(log.Id, cancelled.Token).AsTask();
        await cancelled.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => releasing);
        store.BeforeCall = null;
        // Its own journal holds what the second has replayed and not sealed: it must become a dead one first.
        PartitionLog? back = null;
        for (var i = 0; back is null; i++)
        {
            Assert.True(i < 1000, "waited in vain");
            try
            {
                back = await LogRig.OpenAsync(first);
            }
            catch (LogUnavailableException)
            {
                ports.Time.Advance(TimeSpan.FromMilliseconds(20));
                await Task.Delay(1);
            }
        }
        Assert.True(back.LeaderEpoch >= 2);
        Assert.Equal(2, back.HighWatermark);
        Assert.Equal(Batches.At(Batches.Make(2, 100, 1), 0, 0), await LogRig.ReadAllAsync(back, 0));

        async Task<LogHost> StartAsync(int seed)
        {
            var runtime = new RuntimePorts(ports.Time, new SeededRandom(seed), ports.Scheduler, ports.Runtime.Logs);
            var host = new LogHost(runtime, store, new BlobJournalSystem(store, runtime, new BlobJournalOptions()), new ArrayChunkSource(), _rig.Options);
            await host.StartAsync(default);
            return host;
        }
    }

    private sealed class Watcher : ILogWatcher
    {
        public int Calls { get; private set; }
        public void Changed() => Calls++;
    }
}
