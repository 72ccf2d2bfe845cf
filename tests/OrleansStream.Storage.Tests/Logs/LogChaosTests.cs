using System.Buffers;
using OrleansStream.Protocol.Records;
using OrleansStream.Storage.Logs;
using OrleansStream.Storage.Ports;

namespace OrleansStream.Storage.Tests.Logs;

/// <summary>
/// Random appends, seals, crashes and takeovers over a store that fails and loses answers, compared with a model: what was acknowledged is there, at its
/// offset, with its bytes, once; offsets have no gaps; epochs grow. Does not cover: torn journals (the journals' tests), real concurrency of two owners
/// that both are served (the simulation).
/// </summary>
public class LogChaosTests
{
    private const int Partitions = 3;

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(4)]
    [InlineData(5)]
    [InlineData(6)]
    public async Task What_was_acknowledged_survives_everything(int seed)
    {
        var random = new Random(seed);
        var rig = new LogRig(seed, shared: seed % 2 == 0);
        rig.Options = rig.Options with { SealTargetBytes = 20_000, MemoryBudgetBytes = 2 << 20 };
        var failing = new Random(seed * 31);
        rig.Store.BeforeCall = (operation, _) =>
        {
            lock (failing)
                return operation is "create" or "replace" && failing.Next(10) == 0 ? throw new StoreUnavailableException("away") : default;
        };
        rig.Store.LoseAnswer = _ =>
        {
            lock (failing)
                return failing.Next(10) == 0;
        };
        // Of each partition: the bytes of every offset that anybody may have seen.
        var model = Enumerable.Range(0, Partitions).Select(_ => new SortedDictionary<long, byte[]>()).ToArray();
        var epochs = Enumerable.Repeat(-1, Partitions).ToArray();
        // ... and where what was acknowledged ends: less may never come back.
        var acknowledged = new long[Partitions];
        for (var life = 0; life < 6; life++)
        {
            rig.Journals.AutoCommit = true;
            var host = await rig.StartAsync();
            var logs = new PartitionLog[Partitions];
            for (var p = 0; p < Partitions; p++)
            {
                logs[p] = await OpenAsync(rig, host, p);
                Assert.True(logs[p].LeaderEpoch > epochs[p]);
                epochs[p] = logs[p].LeaderEpoch;
                await CheckAsync(logs[p], model[p], acknowledged[p]);
            }
            rig.Journals.AutoCommit = false;
            var journal = rig.Journals.Opened[^1];
            List<(int Partition, LogAppend Append, byte[] Bytes)> waiting = [];
            for (var step = random.Next(20, 120); step > 0; step--)
            {
                var p = random.Next(Partitions);
                var batch = Batches.Make(random.Next(1, 4), random.Next(0, 3000), (byte)random.Next(256), step);
                var append = logs[p].Append(Batches.Sequence(batch));
                Assert.Equal(LogStatus.Ok, append.Status);
                waiting.Add((p, append, Batches.At(batch, append.BaseOffset, logs[p].LeaderEpoch)));
                if (random.Next(3) == 0)
                    journal.Commit(random.Next(10));
                if (random.Next(10) == 0)
                    logs[random.Next(Partitions)].Freeze();
                if (random.Next(20) == 0)
                {
                    var any = random.Next(Partitions);
                    Acknowledge(waiting, model, acknowledged);
                    await CheckAsync(logs[any], model[any], acknowledged[any]);
                }
                if (random.Next(10) == 0)
                    await rig.UntilAsync(() => true);
            }
            var end = random.Next(4);
            if (end == 0)
            {
                journal.Commit();
                Acknowledge(waiting, model, acknowledged);
                Assert.Empty(waiting);
                var closing = host.ShutdownAsync(default).AsTask();
                await rig.UntilAsync(() => closing.IsCompleted);
                await closing;
            }
            else
            {
                // Some of what was on its way is durable though nobody heard of it: it may come back, in order, without gaps.
                Acknowledge(waiting, model, acknowledged);
                journal.FailUnheard(random.Next(5), "killed");
                foreach (var (p, _, bytes) in waiting)
                    model[p][Offset(bytes)] = bytes;
            }
            var replays = rig.Journals.Replays;
            await host.DisposeAsync();
            await rig.UntilAsync(() => rig.Chunks[^1].BytesOut == 0);
            if (end == 0)
                Assert.Equal(replays, rig.Journals.Replays);
        }
        rig.Store.BeforeCall = null;
        rig.Store.LoseAnswer = null;
        rig.Journals.AutoCommit = true;
        var last = await rig.StartAsync();
        for (var p = 0; p < Partitions; p++)
            await CheckAsync(await OpenAsync(rig, last, p), model[p], acknowledged[p]);
        await last.SweepAsync(static _ => true, static _ => true, default);
        for (var p = 0; p < Partitions; p++)
        {
            var log = last.OpenLogs.Single(log => log.Id == LogRig.Partition(p));
            Assert.Equal(model[p].Sum(static item => (long)item.Value.Length), (await LogRig.ReadAllAsync(log, 0)).Length);
        }
        await last.DisposeAsync();
    }

    private static async Task<PartitionLog> OpenAsync(LogRig rig, LogHost host, int partition)
    {
        while (true)
        {
            var opening = LogRig.OpenAsync(host, partition);
            await rig.UntilAsync(() => opening.IsCompleted);
            try
            {
                return await opening;
            }
            catch (LogUnavailableException)
            {
                // The store was away for too long: again.
            }
        }
    }

    /// <summary>Moves what is durable into the model.</summary>
    private static void Acknowledge(List<(int Partition, LogAppend Append, byte[] Bytes)> waiting, SortedDictionary<long, byte[]>[] model, long[] acknowledged)
    {
        while (waiting.Count > 0 && waiting[0].Append.Durable.IsCompleted)
        {
            Assert.Equal(LogStatus.Ok, waiting[0].Append.Durable.Result);
            model[waiting[0].Partition][waiting[0].Append.BaseOffset] = waiting[0].Bytes;
            acknowledged[waiting[0].Partition] = waiting[0].Append.LastOffset + 1;
            waiting.RemoveAt(0);
        }
    }

    /// <summary>The log holds the model up to its high watermark; what the model has beyond that was never acknowledged and is forgotten.</summary>
    private static async Task CheckAsync(PartitionLog log, SortedDictionary<long, byte[]> model, long acknowledged)
    {
        var bytes = await LogRig.ReadAllAsync(log, 0, maxBytes: 7000);
        long offset = 0;
        for (var at = 0; at < bytes.Length;)
        {
            var header = RecordBatchHeader.Read(bytes.AsSpan(at));
            Assert.Equal(offset, header.BaseOffset);
            Assert.Equal(model[offset], bytes[at..(at + (int)header.SizeInBytes)]);
            offset = header.NextOffset;
            at += (int)header.SizeInBytes;
        }
        Assert.Equal(log.HighWatermark, offset);
        Assert.True(offset >= acknowledged, $"acknowledged up to {acknowledged}, there up to {offset}");
        foreach (var beyond in model.Keys.Where(key => key >= offset).ToList())
            model.Remove(beyond);
    }

    private static long Offset(byte[] batch) => RecordBatchHeader.Read(batch).BaseOffset;
}
