using System.Buffers.Binary;
using OrleansStream.Protocol.Records;
using OrleansStream.Storage.Logs;
using OrleansStream.Storage.Segments;

namespace OrleansStream.Storage.Tests.Logs;

public class ManifestTests
{
    private static readonly PartitionId Id = LogRig.Partition(3);

    [Fact]
    public void A_manifest_is_read_as_it_was_written()
    {
        var prefix = SegmentNames.PartitionPrefix(Id);
        var own = new SealedRun(prefix + "segments/1-2-x", 1, Id, 2, 3, 4, 5, 6, 0xFFFFFFFF, 7, 8, 9, 10);
        var shared = own with { ObjectName = "shared/0-abc", MaxTimestamp = -1 };
        var manifest = new Manifest
        {
            LeaderEpoch = 5, LogStartOffset = 1, SealedEndOffset = 99,
            Journals = [new ListedJournal(4, Guid.Parse("00112233-4455-6677-8899-aabbccddeeff")), new ListedJournal(5, Guid.Empty)],
            EpochStarts = [new EpochStart(0, 0), new EpochStart(5, 50)],
            Indexes = [new RunIndex(prefix + "index/0-1-y", 0, 2, 1000, -1)],
            Runs = [own, shared],
            ProducerSnapshot = null,
            SnapshotRun = shared,
        };
        var bytes = ManifestCodec.Encode(Id, manifest);
        var read = ManifestCodec.Decode(Id, bytes);
        Assert.Equal(bytes, ManifestCodec.Encode(Id, read));
        Assert.Equal(manifest.Runs.ToArray(), read.Runs.ToArray());
        Assert.Equal(manifest.Journals.ToArray(), read.Journals.ToArray());
        Assert.Equal(manifest.Indexes.ToArray(), read.Indexes.ToArray());
        Assert.Equal(manifest.EpochStarts.ToArray(), read.EpochStarts.ToArray());
        Assert.Equal((5, 1L, 99L, shared), (read.LeaderEpoch, read.LogStartOffset, read.SealedEndOffset, read.SnapshotRun));
        Assert.Null(read.ProducerSnapshot);
        Assert.Equal(new byte[] { 1, 2 }, ManifestCodec.Decode(Id, ManifestCodec.Encode(Id, manifest with { ProducerSnapshot = new byte[] { 1, 2 } })).ProducerSnapshot!.Value.ToArray());
    }

    [Fact]
    public void Every_flipped_byte_and_every_cut_is_noticed()
    {
        var bytes = ManifestCodec.Encode(Id, new Manifest { LeaderEpoch = 1, Journals = [new ListedJournal(1, Guid.Empty)] });
        for (var i = 0; i < bytes.Length; i++)
        {
            var bad = bytes.ToArray();
            bad[i] ^= 0x10;
            Assert.ThrowsAny<IOException>(() => ManifestCodec.Decode(Id, bad));
            Assert.Throws<LogCorruptException>(() => ManifestCodec.Decode(Id, bytes.AsSpan(0, i)));
        }
        Assert.Throws<LogCorruptException>(() => ManifestCodec.Decode(LogRig.Partition(4), bytes));
    }

    [Fact]
    public void A_newer_version_is_refused_with_a_sentence()
    {
        var bytes = ManifestCodec.Encode(Id, Manifest.Empty);
        BinaryPrimitives.WriteUInt16BigEndian(bytes.AsSpan(4), ManifestCodec.Version + 1);
        BinaryPrimitives.WriteUInt32BigEndian(bytes.AsSpan(bytes.Length - 4), Crc32C.Compute(bytes.AsSpan(0, bytes.Length - 4)));
        var error = Assert.Throws<UnsupportedFormatException>(() => ManifestCodec.Decode(Id, bytes));
        Assert.Contains("newer version", error.Message);
        Assert.Contains(SegmentNames.PartitionPrefix(Id), error.Message);
    }

    [Fact]
    public async Task Many_runs_move_to_index_objects_and_the_manifest_stays_small()
    {
        var rig = new LogRig();
        rig.Options = rig.Options with { SealTargetBytes = 1000, MemoryBudgetBytes = 2 << 20 };
        await using var host = await rig.StartAsync();
        var log = await LogRig.OpenAsync(host);
        var expected = new List<byte>();
        for (var i = 0; i < 500; i++)
        {
            var batch = Batches.Make(1, 1000, (byte)i, timestamp: i);
            expected.AddRange(Batches.At(batch, i, 0));
            log.Append(Batches.Sequence(batch));
            log.Freeze();
            await rig.UntilAsync(() => log.SealedEndOffset == i + 1);
        }
        Assert.True(log.Manifest.Current.Indexes.Length >= 2);
        Assert.True(ManifestCodec.Encode(log.Id, log.Manifest.Current).Length < 64 << 10);
        await using var next = await rig.StartAsync();
        var again = await LogRig.OpenAsync(next);
        Assert.Equal(expected, await LogRig.ReadAllAsync(again, 0));
        Assert.Equal(expected.Count, again.SizeBytes);
        var found = await again.FindTimestampAsync(77, long.MaxValue, default);
        using (found.Hold)
        {
            Assert.True(RecordBatchHeader.TryRead(found.Batches, out var header));
            Assert.Equal(77, header.BaseOffset);
        }
        // The sweep knows what only index objects name.
        var names = rig.Store.Names;
        await next.SweepAsync(static _ => true, static _ => true, default);
        Assert.Equal(names, rig.Store.Names);
    }

    [Fact]
    public async Task A_large_producer_snapshot_is_left_in_the_sealed_run()
    {
        var rig = new LogRig();
        var host = await rig.StartAsync();
        var log = await LogRig.OpenAsync(host, state: new LargeState());
        log.Append(Batches.Sequence(Batches.Make(1, 10, 1)));
        await host.ShutdownAsync(default);
        Assert.Null(log.Manifest.Current.ProducerSnapshot);
        await using var next = await rig.StartAsync();
        var state = new LargeState();
        await LogRig.OpenAsync(next, state: state);
        Assert.Equal(LargeState.Bytes, state.Loaded);
    }

    [Fact]
    public async Task The_sweep_takes_orphans_and_leaves_what_counts()
    {
        var rig = new LogRig();
        var host = await rig.StartAsync();
        for (var p = 0; p < 3; p++)
            (await LogRig.OpenAsync(host, p)).Append(Batches.Sequence(Batches.Make(1, 10, 1)));
        await host.ShutdownAsync(default);
        var good = rig.Store.Names;

        var orphan = SealedSegmentWriter.Build(
            SegmentNames.Shared(rig.Ports.Random), Guid.Empty,
            [.. Enumerable.Range(0, 2).Select(p => new RunToSeal(LogRig.Partition(p), 0, Batches.Sequence(Batches.Make(1, 10, 1)), default))]);
        await rig.Store.CreateAsync(orphan.Name, orphan.Content, default);
        var alone = SegmentNames.ForPartition(LogRig.Partition(0), 0, 0, rig.Ports.Random);
        await rig.Store.CreateAsync(alone, orphan.Content, default);

        await using var next = await rig.StartAsync();
        await next.SweepAsync(static _ => true, static _ => true, default);
        Assert.Equal(2, rig.Store.Names.Except(good).Count());
        await LogRig.OpenAsync(next, 0);
        await next.SweepAsync(static _ => true, static _ => true, default);
        Assert.Equal([orphan.Name], rig.Store.Names.Except(good));
        await LogRig.OpenAsync(next, 1);
        await next.SweepAsync(static _ => true, static _ => true, default);
        Assert.Equal(good, rig.Store.Names);

        // Deleted partitions: their own objects go at once, shared ones when the last of their partitions is gone.
        for (var p = 0; p < 3; p++)
            await next.DeleteAsync(LogRig.Partition(p), default);
        await next.SweepAsync(static _ => false, static _ => true, default);
        Assert.Empty(rig.Store.Names);
        Assert.Equal([next.JournalId!.Value], rig.Journals.Ids);
    }

    private sealed class LargeState : ILogState
    {
        public static readonly byte[] Bytes = [.. Enumerable.Range(0, 40_000).Select(static i => (byte)i)];
        public byte[] Loaded { get; private set; } = [];
        public void Apply(ReadOnlySpan<byte> batch) { }
        public byte[] Snapshot() => Bytes;
        public void Load(ReadOnlySpan<byte> snapshot) => Loaded = snapshot.ToArray();
    }
}
