using OrleansStream.Storage.Logs;
using OrleansStream.Storage.Ports;
using OrleansStream.TestSupport;

namespace OrleansStream.Storage.Tests.Logs;

public class PartitionLogTests
{
    private readonly LogRig _rig = new();

    [Fact]
    public async Task An_append_gets_offsets_and_is_read_back_with_them()
    {
        await using var host = await _rig.StartAsync();
        var log = await LogRig.OpenAsync(host);
        var first = Batches.Make(3, 100, 1);
        var second = Batches.Make(2, 50, 2);

        var a = log.Append(Batches.Sequence(first));
        var b = log.Append(Batches.Sequence(second));

        Assert.Equal((0, 2, 3, 4), (a.BaseOffset, a.LastOffset, b.BaseOffset, b.LastOffset));
        Assert.Equal(LogStatus.Ok, await a.Durable);
        Assert.Equal(5, log.HighWatermark);
        byte[] expected = [.. Batches.At(first, 0, 0), .. Batches.At(second, 3, 0)];
        Assert.Equal(expected, await LogRig.ReadAllAsync(log, 0));
        Assert.Equal(Batches.At(second, 3, 0), await LogRig.ReadAllAsync(log, 4));
    }

    [Fact]
    public async Task Nothing_above_the_high_watermark_is_read()
    {
        _rig.Journals.AutoCommit = false;
        await using var host = await _rig.StartAsync();
        var log = await LogRig.OpenAsync(host);
        var append = log.Append(Batches.Sequence(Batches.Make(3, 100, 1)));
        log.Append(Batches.Sequence(Batches.Make(3, 100, 2)));

        Assert.False(append.Durable.IsCompleted);
        var read = await log.ReadAsync(0, 1000, true, long.MaxValue, default);
        Assert.Equal((LogStatus.Ok, 0), (read.Status, read.Batches.Length));

        _rig.Journals.Opened[0].Commit(1);
        Assert.Equal(LogStatus.Ok, await append.Durable);
        Assert.Equal(3, log.HighWatermark);
        Assert.Equal(Batches.At(Batches.Make(3, 100, 1), 0, 0), await LogRig.ReadAllAsync(log, 0));
        Assert.Equal(LogStatus.Ok, (await log.ReadAsync(6, 1, true, long.MaxValue, default)).Status);
        Assert.Equal(LogStatus.OutOfRange, (await log.ReadAsync(7, 1, true, long.MaxValue, default)).Status);
        Assert.Equal(LogStatus.OutOfRange, (await log.ReadAsync(-1, 1, true, long.MaxValue, default)).Status);
    }

    [Fact]
    public async Task Reads_keep_to_max_bytes_but_give_the_first_batch_whole()
    {
        await using var host = await _rig.StartAsync();
        var log = await LogRig.OpenAsync(host);
        var batch = Batches.Make(1, 1000, 1);
        for (var i = 0; i < 100; i++)
            log.Append(Batches.Sequence(batch));

        Assert.Equal(batch.Length, await LengthAsync(10, true));
        Assert.Equal(0, await LengthAsync(10, false));
        Assert.Equal(batch.Length, await LengthAsync(batch.Length, false));
        Assert.Equal(batch.Length, await LengthAsync(2 * batch.Length - 1, false));
        Assert.Equal(2 * batch.Length, await LengthAsync(2 * batch.Length, false));
        Assert.Equal(99 * batch.Length, await LengthAsync(99 * batch.Length, true));
        Assert.Equal(100 * batch.Length, await LengthAsync(int.MaxValue, true));

        async Task<long> LengthAsync(int maxBytes, bool atLeastOne)
        {
            var read = await log.ReadAsync(0, maxBytes, atLeastOne, long.MaxValue, default);
            using (read.Hold)
                return read.Batches.Length;
        }
    }

    [Fact]
    public async Task A_crash_loses_nothing_durable_and_the_next_owner_goes_on_behind_it()
    {
        _rig.Journals.AutoCommit = false;
        var host = await _rig.StartAsync();
        var log = await LogRig.OpenAsync(host);
        var kept = Batches.Make(3, 100, 1);
        log.Append(Batches.Sequence(kept));
        log.Append(Batches.Sequence(Batches.Make(3, 100, 2)));
        _rig.Journals.Opened[0].Commit(1);

        // The process is gone: nobody disposes anything.
        await using var next = await _rig.StartAsync();
        var state = new CountingState();
        var again = await LogRig.OpenAsync(next, state: state);
        Assert.Equal((1, 3, 3), (again.LeaderEpoch, again.HighWatermark, state.Next));
        Assert.Equal(Batches.At(kept, 0, 0), await LogRig.ReadAllAsync(again, 0));
        var more = Batches.Make(1, 10, 3);
        Assert.Equal(3, again.Append(Batches.Sequence(more)).BaseOffset);
        Assert.Equal((0, 3), again.EndOfEpoch(0));

        // The old owner meets the fence.
        var late = log.Append(Batches.Sequence(kept));
        _rig.Journals.Opened[0].Commit();
        Assert.Equal(LogStatus.NotLeader, await late.Durable);
        Assert.Equal(LogStatus.NotLeader, await log.SteppedDown);
        Assert.Equal(LogStatus.NotLeader, log.Append(Batches.Sequence(kept)).Status);
        Assert.Equal(3, log.HighWatermark);
    }

    [Fact]
    public async Task Two_failovers_before_anything_was_sealed_find_both_tails()
    {
        _rig.Store.BeforeCall = NoSegments;
        var expected = new List<byte>();
        for (var epoch = 0; epoch < 3; epoch++)
        {
            var host = await _rig.StartAsync();
            var log = await LogRig.OpenAsync(host);
            var batch = Batches.Make(2, 200, (byte)epoch);
            Assert.Equal(epoch * 2, log.Append(Batches.Sequence(batch)).BaseOffset);
            expected.AddRange(Batches.At(batch, epoch * 2, epoch));
            Assert.Equal(expected, await LogRig.ReadAllAsync(log, 0));
        }
        await using var last = await _rig.StartAsync();
        var end = await LogRig.OpenAsync(last);
        Assert.Equal(expected, await LogRig.ReadAllAsync(end, 0));
        Assert.Equal((3, 6), (end.LeaderEpoch, end.EndOffset));
        Assert.Equal((1, 4), end.EndOfEpoch(1));
    }

    [Fact]
    public async Task A_gap_in_the_journals_is_an_error_and_not_a_guess()
    {
        _rig.Store.BeforeCall = NoSegments;
        var host = await _rig.StartAsync();
        var log = await LogRig.OpenAsync(host);
        log.Append(Batches.Sequence(Batches.Make(2, 20, 1)));
        log.Append(Batches.Sequence(Batches.Make(2, 20, 1)));
        // As if the journal had let go of something that no manifest names.
        _rig.Journals.Opened[0].Sealed(log.Id, log.LeaderEpoch, 2);

        await using var next = await _rig.StartAsync();
        var error = await Assert.ThrowsAsync<LogCorruptException>(() => LogRig.OpenAsync(next));
        Assert.Contains("begins at offset 2", error.Message);
    }

    [Fact]
    public async Task Sealed_data_is_evicted_and_read_back_from_the_store_across_the_boundary()
    {
        _rig.Options = _rig.Options with { MemoryBudgetBytes = 1 << 20 };
        await using var host = await _rig.StartAsync();
        var log = await LogRig.OpenAsync(host);
        var expected = new List<byte>();
        for (var i = 0; i < 400; i++)
        {
            var batch = Batches.Make(1 + (i % 3), 3000, (byte)i);
            expected.AddRange(Batches.At(batch, log.EndOffset, 0));
            await host.Memory.AdmitAsync(batch.Length, default).AsTask().WaitAsync(TimeSpan.FromSeconds(20));
            Assert.Equal(LogStatus.Ok, log.Append(Batches.Sequence(batch)).Status);
        }
        await _rig.UntilAsync(() => log.SealedEndOffset > 600);
        Assert.True(host.Memory.UsedBytes <= (1 << 20) + (64 << 10), $"{host.Memory.UsedBytes}");
        Assert.Equal(expected, await LogRig.ReadAllAsync(log, 0));
        Assert.Equal(expected, await LogRig.ReadAllAsync(log, 0, maxBytes: 5000));
        Assert.True(_rig.Store.RangeReads > 0);
    }

    [Fact]
    public async Task A_clean_shutdown_leaves_nothing_to_replay_and_no_journal_in_any_manifest()
    {
        var host = await _rig.StartAsync();
        var expected = new Dictionary<int, byte[]>();
        for (var p = 0; p < 20; p++)
        {
            var log = await LogRig.OpenAsync(host, p);
            var batch = Batches.Make(2, 100, (byte)p);
            if (p % 2 == 0)
                log.Append(Batches.Sequence(batch));
            expected[p] = p % 2 == 0 ? Batches.At(batch, 0, 0) : [];
        }
        await host.ShutdownAsync(default);
        await host.DisposeAsync();
        Assert.Equal(0, _rig.Chunks[0].BytesOut);
        Assert.Empty(_rig.Journals.Ids);
        Assert.Single(_rig.Store.Names, name => name.StartsWith("shared/"));

        await using var next = await _rig.StartAsync();
        for (var p = 0; p < 20; p++)
        {
            var state = new CountingState();
            var log = await LogRig.OpenAsync(next, p, state);
            Assert.Equal((1, p % 2 == 0 ? 2 : 0), (log.LeaderEpoch, log.EndOffset));
            Assert.Equal(log.EndOffset, state.Next);
            Assert.Equal(expected[p], await LogRig.ReadAllAsync(log, 0));
        }
        Assert.Equal(0, _rig.Journals.Replays);
    }

    [Fact]
    public async Task A_dead_journal_is_read_once_for_all_its_partitions()
    {
        var host = await _rig.StartAsync();
        for (var p = 0; p < 10; p++)
            (await LogRig.OpenAsync(host, p)).Append(Batches.Sequence(Batches.Make(1, 100, (byte)p)));
        await using var next = await _rig.StartAsync();
        for (var p = 0; p < 10; p++)
            Assert.Equal(1, (await LogRig.OpenAsync(next, p)).EndOffset);
        Assert.Equal(1, _rig.Journals.Replays);
    }

    [Fact]
    public async Task A_journal_that_gives_up_is_replaced_and_the_partition_taken_again()
    {
        _rig.Journals.AutoCommit = false;
        await using var host = await _rig.StartAsync();
        var log = await LogRig.OpenAsync(host);
        var lost = log.Append(Batches.Sequence(Batches.Make(1, 10, 1)));
        var duplicate = log.WaitDurableAsync(0);
        _rig.Journals.Opened[0].Fail("the disk is on fire");
        Assert.Equal(LogStatus.NotLeader, await lost.Durable);
        Assert.Equal(LogStatus.NotLeader, await duplicate);
        Assert.Equal(LogStatus.NotLeader, await log.SteppedDown);

        await _rig.UntilAsync(() => host.JournalId is { } id && id != _rig.Journals.Opened[0].Id);
        var again = await LogRig.OpenAsync(host);
        Assert.Equal((1, 0), (again.LeaderEpoch, again.EndOffset));
    }

    [Fact]
    public async Task Store_failures_and_lost_answers_delay_sealing_but_lose_nothing()
    {
        var calls = 0;
        _rig.Store.BeforeCall = (operation, _) =>
            operation is "create" or "replace" && calls++ % 3 == 0 ? throw new StoreUnavailableException("away") : default;
        _rig.Store.LoseAnswer = _ => calls++ % 3 == 0;
        await using var host = await _rig.StartAsync();
        var opening = LogRig.OpenAsync(host);
        await _rig.UntilAsync(() => opening.IsCompleted);
        var log = await opening;
        var batch = Batches.Make(1, 10_000, 1);
        for (var i = 0; i < 100; i++)
            log.Append(Batches.Sequence(batch));
        await _rig.UntilAsync(() => log.SealedEndOffset > 80);
        _rig.Store.BeforeCall = null;
        _rig.Store.LoseAnswer = null;
        await host.DisposeAsync();
        await using var next = await _rig.StartAsync();
        var again = await LogRig.OpenAsync(next);
        Assert.Equal(100, again.EndOffset);
        Assert.Equal(100 * batch.Length, (await LogRig.ReadAllAsync(again, 0)).Length);
    }

    [Fact]
    public async Task A_deposed_owner_cannot_seal()
    {
        var host = await _rig.StartAsync();
        var log = await LogRig.OpenAsync(host);
        log.Append(Batches.Sequence(Batches.Make(1, 100, 1)));
        await using var next = await _rig.StartAsync();
        var again = await LogRig.OpenAsync(next);
        log.Freeze();
        await _rig.UntilAsync(() => log.Status == LogStatus.NotLeader);
        Assert.Equal(0, log.SealedEndOffset);
        Assert.Equal(1, again.EndOffset);
    }

    [Fact]
    public async Task Timestamps_are_found_in_sealed_and_hot_data()
    {
        await using var host = await _rig.StartAsync();
        var log = await LogRig.OpenAsync(host);
        for (var i = 0; i < 50; i++)
            log.Append(Batches.Sequence(Batches.Make(1, 3000, 1, timestamp: 1000 + (i * 10))));
        await _rig.UntilAsync(() => log.SealedEndOffset > 10);
        Assert.Equal(new LiveTimestamps(LogStatus.Ok, 1490, 0), await log.TimestampsAsync(long.MaxValue, default));
        foreach (var (timestamp, offset) in new[] { (0, 0L), (1000, 0), (1001, 1), (1255, 26), (1490, 49) })
        {
            var read = await log.FindTimestampAsync(timestamp, long.MaxValue, default);
            using (read.Hold)
            {
                Assert.True(Protocol.Records.RecordBatchHeader.TryRead(read.Batches, out var header));
                Assert.Equal(offset, header.BaseOffset);
            }
        }
        Assert.True((await log.FindTimestampAsync(1491, long.MaxValue, default)).Batches.IsEmpty);
    }

    private static ValueTask NoSegments(string operation, string name) =>
        operation == "create" && !name.EndsWith("manifest", StringComparison.Ordinal) ? throw new StoreUnavailableException("away") : default;
}
