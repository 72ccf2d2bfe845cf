using OrleansStream.Storage.Ports;
using OrleansStream.Storage.Segments;
using static OrleansStream.Storage.Tests.Segments.SegmentFixture;

namespace OrleansStream.Storage.Tests.Segments;

public sealed class SegmentReaderTests
{
    private static IEnumerable<byte[]> Many(int batches, int recordsEach, int size) =>
        Enumerable.Range(0, batches).Select(i => Batch((long)i * recordsEach, recordsEach, size, timestamp: 1000 + (i * 10)));

    [Theory]
    [InlineData(int.MaxValue)]
    [InlineData(33)]
    public async Task Every_offset_is_found_with_its_bytes(int piece)
    {
        using var f = new SegmentFixture(new ReadCacheOptions { BlockBytes = 64 << 10, MaxGetBytes = 64 << 10, MaxReadAheadBytes = 256 << 10 });
        var batches = Many(300, 3, 1111).ToList();
        var run = await f.SealAsync(batches, piece);
        for (var offset = 0; offset < 900; offset += 7)
        {
            using var read = await f.Reader.ReadAsync(run, offset, long.MaxValue, 1, true, default);
            Assert.Equal(batches[offset / 3], System.Buffers.BuffersExtensions.ToArray(read.Batches));
        }
        await f.Ports.Scheduler.DrainAsync();
    }

    [Fact]
    public async Task Reading_on_from_the_end_of_each_read_gives_the_whole_run_once()
    {
        using var f = new SegmentFixture(new ReadCacheOptions { CapacityBytes = 2 << 20, BlockBytes = 64 << 10, MaxGetBytes = 64 << 10, MaxReadAheadBytes = 512 << 10 });
        var batches = Many(2000, 5, 4099).ToList();
        var run = await f.SealAsync(batches);
        long offset = 0;
        List<byte> all = [];
        while (offset <= run.LastOffset)
        {
            using var read = await f.Reader.ReadAsync(run, offset, long.MaxValue, 100_000, true, default);
            Assert.InRange(read.Batches.Length, 1, 100_000);
            foreach (var memory in read.Batches)
                all.AddRange(memory.Span);
            offset += 5 * Batches(read.Batches).Count;
        }
        Assert.Equal(batches.SelectMany(b => b), all);
        await f.Ports.Scheduler.DrainAsync();
        Assert.InRange(f.Cache.Counters.HeldBytes, 1, 2 << 20);
        Assert.InRange(f.Cache.Counters.ReadAheads, 10, 1000);
        Assert.Equal(0, f.Cache.Counters.Overflows);
    }

    [Fact]
    public async Task A_batch_larger_than_the_limit_comes_only_when_one_must()
    {
        using var f = new SegmentFixture();
        var run = await f.SealAsync([Batch(0, 1, 100), Batch(1, 1, 3_000_000), Batch(2, 1, 100)]);
        using var refused = await f.Reader.ReadAsync(run, 1, long.MaxValue, 1000, false, default);
        Assert.True(refused.Batches.IsEmpty);
        using var one = await f.Reader.ReadAsync(run, 1, long.MaxValue, 1000, true, default);
        Assert.Equal([(1L, 3_000_000)], Batches(one.Batches));
        using var first = await f.Reader.ReadAsync(run, 0, long.MaxValue, 1000, true, default);
        Assert.Equal([(0L, 100)], Batches(first.Batches));
    }

    [Fact]
    public async Task Nothing_at_or_above_the_end_offset_is_returned()
    {
        using var f = new SegmentFixture();
        var run = await f.SealAsync(Many(10, 3, 100));
        using var some = await f.Reader.ReadAsync(run, 0, 8, 10_000, true, default);
        Assert.Equal([(0L, 100), (3L, 100)], Batches(some.Batches));
        using var none = await f.Reader.ReadAsync(run, 6, 8, 10_000, true, default);
        Assert.True(none.Batches.IsEmpty);
        using var behind = await f.Reader.ReadAsync(run, 30, long.MaxValue, 10_000, true, default);
        Assert.True(behind.Batches.IsEmpty);
    }

    [Fact]
    public async Task A_timestamp_leads_to_the_first_batch_that_is_not_older()
    {
        using var f = new SegmentFixture();
        List<byte[]> batches = [.. Many(500, 2, 1000)];
        batches.Insert(100, Batch(200, 0 + 2, 1000, timestamp: 900));
        for (var i = 101; i < batches.Count; i++)
            batches[i] = Batch(i * 2, 2, 1000, timestamp: 1000 + (i * 10));
        var run = await f.SealAsync(batches);
        foreach (var (timestamp, offset) in new[] { (0L, 0L), (1000, 0), (1001, 2), (1990, 198), (1991, 202), (run.MaxTimestamp, 1000) })
        {
            using var read = await f.Reader.FindTimestampAsync(run, timestamp, default);
            Assert.Equal([(offset, 1000)], Batches(read.Batches));
        }
        using var none = await f.Reader.FindTimestampAsync(run, run.MaxTimestamp + 1, default);
        Assert.True(none.Batches.IsEmpty);
    }

    [Theory]
    [InlineData(0)] // base offset of a batch: outside of Kafka's own checksum
    [InlineData(15)] // leader epoch
    [InlineData(90)] // payload
    public async Task A_wrong_byte_is_an_error_that_names_the_place_and_never_a_record(int at)
    {
        using var f = new SegmentFixture();
        var run = await f.SealAsync(Many(10, 1, 100));
        f.Store.Tamper(run.ObjectName, bytes =>
        {
            bytes[run.Position + 300 + at] ^= 1;
            return bytes;
        });
        var error = await Assert.ThrowsAsync<SegmentCorruptException>(
            async () => await f.Reader.ReadAsync(run, 0, long.MaxValue, 10_000, true, default));
        Assert.Contains(run.ObjectName, error.Message);
        // Mended behind our back (a bad cable, not a bad disk): the next read fetches anew.
        f.Store.Tamper(run.ObjectName, bytes =>
        {
            bytes[run.Position + 300 + at] ^= 1;
            return bytes;
        });
        using var read = await f.Reader.ReadAsync(run, 0, long.MaxValue, 10_000, true, default);
        Assert.Equal(10, Batches(read.Batches).Count);
    }

    [Fact]
    public async Task A_wrong_byte_in_the_index_a_cut_object_and_a_foreign_one_are_errors()
    {
        using var f = new SegmentFixture();
        var run = await f.SealAsync(Many(10, 1, 100));
        f.Store.Tamper(run.ObjectName, bytes =>
        {
            bytes[run.IndexPosition + 5] ^= 1;
            return bytes;
        });
        await Assert.ThrowsAsync<SegmentCorruptException>(async () => await f.Reader.ReadIndexAsync(run, default));

        var cut = await f.SealAsync(Many(10, 1, 100));
        f.Store.Tamper(cut.ObjectName, bytes => bytes[..^40]);
        await Assert.ThrowsAsync<SegmentCorruptException>(async () => await f.Reader.ReadAsync(cut, 0, long.MaxValue, 1000, true, default));

        var other = await f.SealAsync(Many(10, 1, 100)) with { BaseOffset = 5 };
        await Assert.ThrowsAsync<SegmentCorruptException>(async () => await f.Reader.ReadIndexAsync(other, default));
    }

    [Fact]
    public async Task A_newer_format_is_refused_by_name()
    {
        using var f = new SegmentFixture();
        var run = await f.SealAsync(Many(10, 1, 100));
        f.Store.Tamper(run.ObjectName, bytes =>
        {
            bytes[^9] = 99;
            return bytes;
        });
        var error = await Assert.ThrowsAsync<UnsupportedFormatException>(
            async () => await SegmentDirectory.ReadAsync(f.Store, new ObjectInfo(run.ObjectName, run.ObjectLength), default));
        Assert.Contains("99", error.Message);
    }

    [Fact]
    public async Task A_store_that_is_away_fails_the_read_and_not_the_next_one()
    {
        using var f = new SegmentFixture();
        var run = await f.SealAsync(Many(10, 1, 100));
        var away = true;
        f.Store.BeforeCall = (operation, _) => away && operation == "range" ? throw new StoreUnavailableException("away") : ValueTask.CompletedTask;
        await Assert.ThrowsAsync<StoreUnavailableException>(async () => await f.Reader.ReadAsync(run, 0, long.MaxValue, 1000, true, default));
        away = false;
        using var read = await f.Reader.ReadAsync(run, 0, long.MaxValue, 1000, true, default);
        Assert.Equal(10, Batches(read.Batches).Count);
    }
}
