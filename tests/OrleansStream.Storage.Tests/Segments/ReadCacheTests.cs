using System.Buffers;
using OrleansStream.Storage.Segments;
using static OrleansStream.Storage.Tests.Segments.SegmentFixture;

namespace OrleansStream.Storage.Tests.Segments;

public sealed class ReadCacheTests
{
    private const int Block = 64 << 10;

    private static ReadCacheOptions Small(int blocks) => new() { CapacityBytes = blocks * Block, BlockBytes = Block, MaxGetBytes = Block, MaxReadAheadBytes = Block };

    private static IEnumerable<byte[]> Many(int batches, int size) => Enumerable.Range(0, batches).Select(i => Batch(i, 1, size));

    [Fact]
    public async Task Many_readers_of_one_range_cause_one_get()
    {
        using var f = new SegmentFixture(Small(16));
        var run = await f.SealAsync(Many(10, 1000));
        (await f.Reader.ReadIndexAsync(run, default)).ToString();
        var gate = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        f.Store.BeforeCall = (_, _) => new ValueTask(gate.Task);
        var before = f.Store.RangeReads;
        var reads = Enumerable.Range(0, 20).Select(_ => f.Reader.ReadAsync(run, 3, long.MaxValue, 2000, true, default).AsTask()).ToList();
        gate.SetResult();
        foreach (var read in await Task.WhenAll(reads))
            read.Dispose();
        Assert.Equal(1, f.Store.RangeReads - before);
        Assert.Equal((19, 1), (f.Cache.Counters.Hits, f.Cache.Counters.Misses));
    }

    [Fact]
    public async Task A_reader_that_gives_up_does_not_take_the_load_from_the_others()
    {
        using var f = new SegmentFixture(Small(16));
        var run = await f.SealAsync(Many(10, 1000));
        await f.Reader.ReadIndexAsync(run, default);
        var gate = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        f.Store.BeforeCall = (_, _) => new ValueTask(gate.Task);
        using var cancel = new CancellationTokenSource();
        var first = f.Reader.ReadAsync(run, 3, long.MaxValue, 2000, true, cancel.Token).AsTask();
        var second = f.Reader.ReadAsync(run, 3, long.MaxValue, 2000, true, default).AsTask();
        await cancel.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => first);
        gate.SetResult();
        using var read = await second;
        Assert.Equal(2, Batches(read.Batches).Count);
    }

    [Fact]
    public async Task Pinned_bytes_outlive_eviction_pressure_and_memory_stays_bounded()
    {
        using var f = new SegmentFixture(Small(4));
        var run = await f.SealAsync(Many(640, 10_000));
        var held = await f.Reader.ReadAsync(run, 0, long.MaxValue, 30_000, true, default);
        var expected = held.Batches.ToArray();
        for (var i = 0; i < 2000; i++)
        {
            using var other = await f.Reader.ReadAsync(run, i * 37 % 600, long.MaxValue, 10_000, true, default);
            Assert.Equal(i * 37 % 600, Batches(other.Batches)[0].BaseOffset);
        }
        Assert.Equal(expected, held.Batches.ToArray());
        await f.Ports.Scheduler.DrainAsync();
        Assert.InRange(f.Cache.Counters.HeldBytes, Block, 4 * Block);
        held.Dispose();
    }

    [Fact]
    public async Task With_all_pinned_optional_bytes_are_refused_and_needed_ones_come_from_beyond_the_bound_and_go_back()
    {
        using var f = new SegmentFixture(Small(2));
        var run = await f.SealAsync(Many(64, 60_000));
        List<SegmentRead> pins = [];
        for (var i = 0; i < 3; i++)
            pins.Add(await f.Reader.ReadAsync(run, i * 10, long.MaxValue, 60_000, true, default));
        Assert.True(f.Cache.Counters.Overflows > 0);
        using (var optional = await f.Reader.ReadAsync(run, 55, long.MaxValue, 60_000, false, default))
            Assert.True(optional.Batches.IsEmpty);
        pins.ForEach(p => p.Dispose());
        await f.Ports.Scheduler.DrainAsync();
        Assert.InRange(f.Cache.Counters.HeldBytes, 0, 2 * Block);
        Assert.Equal(f.Chunks.BytesOut, f.Cache.Counters.HeldBytes);
    }

    [Fact]
    public async Task What_is_idle_is_given_back()
    {
        using var f = new SegmentFixture(Small(8));
        var run = await f.SealAsync(Many(64, 10_000));
        (await f.Reader.ReadAsync(run, 0, long.MaxValue, 100_000, true, default)).Dispose();
        await f.Ports.Scheduler.DrainAsync();
        Assert.True(f.Chunks.BytesOut > 0);
        f.Ports.Time.Advance(TimeSpan.FromMinutes(3));
        Assert.Equal(0, f.Chunks.BytesOut);
        using var again = await f.Reader.ReadAsync(run, 0, long.MaxValue, 10_000, true, default);
        Assert.Single(Batches(again.Batches));
    }

    [Fact]
    public async Task A_sequential_reader_finds_its_bytes_loaded_and_gets_grow()
    {
        using var f = new SegmentFixture(new ReadCacheOptions { CapacityBytes = 256 * Block, BlockBytes = Block, MaxGetBytes = 4 * Block, MaxReadAheadBytes = 16 * Block });
        var run = await f.SealAsync(Many(640, 10_000));
        for (var offset = 0; offset < 640; offset += 5)
        {
            using var read = await f.Reader.ReadAsync(run, offset, long.MaxValue, 50_000, true, default);
            await f.Ports.Scheduler.DrainAsync();
        }
        Assert.Equal(1, f.Cache.Counters.Misses);
        // 98 blocks and the index: by gets of up to 4 blocks.
        Assert.InRange(f.Store.RangeReads, 25, 40);
    }

    [Fact]
    public async Task A_sequential_reader_finds_the_next_run_begun()
    {
        using var f = new SegmentFixture(new ReadCacheOptions { CapacityBytes = 256 * Block, BlockBytes = Block, MaxGetBytes = 2 * Block, MaxReadAheadBytes = 8 * Block });
        SealedRun[] runs = [await f.SealAsync(Many(200, 10_000)), await f.SealAsync(Many(200, 10_000)), await f.SealAsync(Many(200, 10_000))];
        for (var i = 0; i < runs.Length; i++)
        {
            for (var offset = 0; offset < 200; offset += 5)
            {
                using var read = await f.Reader.ReadAsync(runs[i], offset, long.MaxValue, 50_000, true, default, runs.ElementAtOrDefault(i + 1));
                await f.Ports.Scheduler.DrainAsync();
            }
        }
        Assert.Equal(1, f.Cache.Counters.Misses);
        var reads = f.Store.RangeReads;
        await f.Reader.ReadIndexAsync(runs[2], default);
        Assert.Equal(reads, f.Store.RangeReads);
    }

    [Fact]
    public async Task More_sequential_readers_than_fit_do_not_evict_what_others_have_read_ahead()
    {
        const int readers = 12;
        using var f = new SegmentFixture(new ReadCacheOptions { CapacityBytes = 128 * Block, BlockBytes = Block, MaxGetBytes = 4 * Block, MaxReadAheadBytes = 16 * Block });
        var runs = new SealedRun[readers];
        for (var i = 0; i < readers; i++)
            runs[i] = await f.SealAsync(Many(200, 10_000));
        for (var offset = 0; offset < 200; offset += 5)
        {
            foreach (var run in runs)
            {
                using var read = await f.Reader.ReadAsync(run, offset, long.MaxValue, 50_000, true, default);
                await f.Ports.Scheduler.DrainAsync();
            }
        }
        // Once, and little more where a reader's chunk did not wait for it; without the bound it was ten times as much.
        Assert.InRange(f.Cache.Counters.LoadedBytes, readers * 2_000_000L, readers * 3_000_000L);
    }

    [Fact]
    public async Task Disposing_gives_every_buffer_back()
    {
        var f = new SegmentFixture(Small(8));
        var run = await f.SealAsync(Many(64, 10_000));
        for (var i = 0; i < 60; i += 9)
            (await f.Reader.ReadAsync(run, i, long.MaxValue, 20_000, true, default)).Dispose();
        await f.Ports.Scheduler.DrainAsync();
        f.Dispose();
        Assert.Equal(0, f.Chunks.BytesOut);
    }

    [Fact]
    public async Task Disposed_while_a_get_is_under_way_it_gives_that_buffer_back_as_well()
    {
        var f = new SegmentFixture(Small(8));
        var run = await f.SealAsync(Many(64, 10_000));
        await f.Reader.ReadIndexAsync(run, default);
        var gate = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        f.Store.BeforeCall = (_, _) => new ValueTask(gate.Task);
        var reading = f.Reader.ReadAsync(run, 0, long.MaxValue, 20_000, true, default).AsTask();
        f.Dispose();
        Assert.NotEqual(0, f.Chunks.BytesOut);
        gate.SetResult();
        (await reading).Dispose();
        await f.Ports.Scheduler.DrainAsync();
        Assert.Equal(0, f.Chunks.BytesOut);
    }
}
