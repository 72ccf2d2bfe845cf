using System.Buffers;
using OrleansStream.Storage.Journals.Blob;
using OrleansStream.Storage.Ports;
using OrleansStream.Storage.Segments;
using static OrleansStream.Storage.Tests.Segments.SegmentFixture;

namespace OrleansStream.Storage.Tests.Segments;

public sealed class SealedSegmentWriterTests
{
    [Fact]
    public async Task The_directory_of_a_shared_object_tells_the_same_as_the_descriptors()
    {
        using var f = new SegmentFixture();
        var runs = Enumerable.Range(0, 50)
            .Select(i => new RunToSeal(Partition(i), 3 + i, Sequence([Batch(i, 5), Batch(i + 5, 2, 300)]), new byte[] { (byte)i }))
            .ToList();
        var name = SegmentNames.Shared(f.Ports.Random);
        var made = SealedSegmentWriter.Build(name, Incarnation, runs);
        await f.Store.CreateAsync(name, made.Content, default);

        var directory = await SegmentDirectory.ReadAsync(f.Store, new ObjectInfo(name, made.Content.Length), default);

        Assert.Equal(made.Runs, directory);
        Assert.Equal(50, directory.Count);
        Assert.Equal((9L, 15L), (directory[9].BaseOffset, directory[9].LastOffset));
        using var read = await f.Reader.ReadAsync(directory[9], 9, long.MaxValue, 1000, true, default);
        Assert.Equal([(9L, 100), (14L, 300)], Batches(read.Batches));
    }

    [Fact]
    public void The_payload_is_referenced_not_copied()
    {
        var batch = Batch(0);
        var made = SealedSegmentWriter.Build("x", Incarnation, [new RunToSeal(Partition(), 1, new ReadOnlySequence<byte>(batch), default)]);
        batch[70] ^= 0xFF;
        Assert.Equal(batch, made.Content.Slice(made.Runs[0].Position, made.Runs[0].Length).ToArray());
    }

    [Fact]
    public async Task The_index_holds_epochs_timestamps_and_the_producer_snapshot()
    {
        using var f = new SegmentFixture();
        var run = await f.SealAsync(
            [Batch(10, 5, 200, leaderEpoch: 2, timestamp: 50), Batch(15, 5, 70_000, leaderEpoch: 2, timestamp: 90), Batch(20, 1, 200, leaderEpoch: 6, timestamp: 70)],
            snapshot: [1, 2, 3]);

        var index = await f.Reader.ReadIndexAsync(run, default);

        Assert.Equal([new EpochStart(2, 10), new EpochStart(6, 20)], index.Epochs);
        Assert.Equal([1, 2, 3], index.ProducerSnapshot.ToArray());
        Assert.Equal((50L, 90L), (run.FirstTimestamp, run.MaxTimestamp));
        Assert.Equal(7, index.LeaderEpoch);
        Assert.Equal([(10L, 90L), (20L, 90L)], index.Chunks.Select(c => (c.BaseOffset, c.MaxTimestamp)));
    }

    [Fact]
    public void An_index_stays_small_beside_a_large_run()
    {
        var batch = Sequence(Enumerable.Range(0, 256 * 64).Select(i => Batch(i, 1, 16 << 10)));
        var made = SealedSegmentWriter.Build("x", Incarnation, [new RunToSeal(Partition(), 1, batch, default)]);
        Assert.InRange(made.Runs[0].IndexLength, 20_000, 40_000);
    }

    [Theory]
    [InlineData(3)]
    [InlineData(1)]
    public void A_run_with_a_gap_or_an_overlap_is_never_sealed(long second)
    {
        var run = new RunToSeal(Partition(), 1, Sequence([Batch(0, 2), Batch(second, 2)]), default);
        Assert.Throws<ArgumentException>(() => SealedSegmentWriter.Build("x", Incarnation, [run]));
    }

    [Fact]
    public void A_run_that_ends_within_a_batch_or_falls_back_in_epochs_is_never_sealed()
    {
        var torn = new RunToSeal(Partition(), 1, Sequence([Batch(0), Batch(1)]).Slice(0, 150), default);
        Assert.Throws<ArgumentException>(() => SealedSegmentWriter.Build("x", Incarnation, [torn]));
        var back = new RunToSeal(Partition(), 1, Sequence([Batch(0, leaderEpoch: 4), Batch(1, leaderEpoch: 3)]), default);
        Assert.Throws<ArgumentException>(() => SealedSegmentWriter.Build("x", Incarnation, [back]));
        Assert.Throws<ArgumentException>(() => SealedSegmentWriter.Build("x", Incarnation, [new RunToSeal(Partition(), 1, default, default)]));
    }

    [Fact]
    public void Names_end_in_leader_epoch_and_random_id()
    {
        using var f = new SegmentFixture();
        var name = SegmentNames.ForPartition(Partition(3), 42, 17, f.Ports.Random);
        Assert.StartsWith("partitions/aaaaaaaa000000000000000000000001/3/segments/00000000000000000042-17-", name);
        Assert.Equal(17, SegmentNames.LeaderEpochOf(name));
        Assert.Equal(0, SegmentNames.LeaderEpochOf(SegmentNames.Shared(f.Ports.Random)));
        Assert.NotEqual(SegmentNames.Shared(f.Ports.Random), SegmentNames.Shared(f.Ports.Random));
        Assert.Null(SegmentNames.LeaderEpochOf("partitions/x/0/manifest"));
        Assert.True(SegmentNames.IsSegment(name));
        Assert.False(SegmentNames.IsSegment(JournalObjectName.Of(Guid.NewGuid(), 7)));
        Assert.Null(SegmentNames.LeaderEpochOf("partitions/x/0/segments/1-2-nonsense"));
    }
}
