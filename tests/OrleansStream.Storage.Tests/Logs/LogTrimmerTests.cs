using OrleansStream.Storage.Logs;

namespace OrleansStream.Storage.Tests.Logs;

/// <summary>The start of a log moves forward, stays where it is after a crash, and takes the objects before it along.</summary>
public sealed class LogTrimmerTests
{
    private const int BatchBytes = 40_000;
    private readonly LogRig _rig = new();

    [Fact]
    public async Task What_lies_before_the_start_is_out_of_range_also_for_the_next_owner()
    {
        var first = await _rig.StartAsync();
        var log = await LogRig.OpenAsync(first);
        for (var i = 0; i < 5; i++)
            await log.Append(Batches.Sequence(Batches.Make(2, 100, (byte)i))).Durable;
        Assert.Equal(LogStatus.OutOfRange, await log.AdvanceStartAsync(11, default));
        Assert.Equal(LogStatus.OutOfRange, await log.AdvanceStartAsync(-1, default));
        Assert.Equal(LogStatus.Ok, await log.AdvanceStartAsync(6, default));
        Assert.Equal(LogStatus.Ok, await log.AdvanceStartAsync(3, default));
        Assert.Equal(6, log.LogStartOffset);
        Assert.Equal(LogStatus.OutOfRange, (await log.ReadAsync(5, 1000, true, long.MaxValue, default)).Status);
        await first.DisposeAsync();

        await using var second = await _rig.StartAsync();
        var next = await LogRig.OpenAsync(second);
        Assert.Equal((6, 10), (next.LogStartOffset, next.HighWatermark));
        byte[] expected = [.. Batches.At(Batches.Make(2, 100, 3), 6, 0), .. Batches.At(Batches.Make(2, 100, 4), 8, 0)];
        Assert.Equal(expected, await LogRig.ReadAllAsync(next, 6));
        Assert.Equal(LogStatus.Ok, await next.AdvanceStartAsync(10, default));
        Assert.Equal((10, 10), (next.LogStartOffset, next.EndOffset));
        Assert.Equal(10, next.Append(Batches.Sequence(Batches.Make(1, 10, 1))).BaseOffset);
    }

    [Fact]
    public async Task Retention_by_size_and_age_lets_whole_runs_go_and_their_objects_a_minute_later()
    {
        await using var host = await _rig.StartAsync();
        var log = await LogRig.OpenAsync(host);
        var now = _rig.Ports.Runtime.NowMilliseconds;
        // Three batches fill a run; each batch is half an hour younger than the one before.
        for (var i = 0; i < 10; i++)
            await log.Append(Batches.Sequence(Batches.Make(1, BatchBytes, (byte)i, now - 10 * 3_600_000 + i * 1_800_000))).Durable;
        await _rig.UntilAsync(() => log.SealedEndOffset >= 8);
        var objects = SealedObjects();
        Assert.Equal(0, await log.RetainedFromAsync(new RetentionLimits(-1, -1), default));
        Assert.Equal(0, await log.RetainedFromAsync(new RetentionLimits(-1, long.MaxValue), default));
        var bySize = await log.RetainedFromAsync(new RetentionLimits(-1, 7 * BatchBytes), default);
        Assert.True(bySize is 2 or 3, $"{bySize}");
        var byAge = await log.RetainedFromAsync(new RetentionLimits(8 * 3_600_000, -1), default);
        Assert.True(byAge is 3 or 4 or 5, $"{byAge}");
        Assert.Equal(await log.RetainedFromAsync(new RetentionLimits(0, -1), default), log.SealedEndOffset);

        Assert.Equal(LogStatus.Ok, await log.AdvanceStartAsync(byAge, default));
        var size = log.SizeBytes;
        Assert.InRange(size, (10 - byAge) * BatchBytes, (10 - byAge) * (BatchBytes + 200));
        // A reader that had begun still finds its bytes; later they are gone, and what follows is as it was.
        Assert.Equal(objects, SealedObjects());
        _rig.Ports.Time.Advance(TimeSpan.FromSeconds(59));
        Assert.Equal(objects, SealedObjects());
        // The delay may only have begun: the clock moves on for as long as it takes.
        await _rig.UntilAsync(() =>
        {
            _rig.Ports.Time.Advance(TimeSpan.FromSeconds(1));
            return SealedObjects() < objects;
        });
        Assert.Equal(LogStatus.OutOfRange, (await log.ReadAsync(byAge - 1, 1000, true, long.MaxValue, default)).Status);
        Assert.Equal((10 - byAge), Count(await LogRig.ReadAllAsync(log, byAge)));
    }

    private int SealedObjects() => _rig.Store.Names.Count(n => n.Contains("/segments/", StringComparison.Ordinal));

    private static long Count(byte[] bytes) => bytes.Length / BatchBytes;
}
