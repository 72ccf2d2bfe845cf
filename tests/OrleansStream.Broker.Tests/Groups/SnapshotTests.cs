using System.Buffers;
using System.Globalization;
using OrleansStream.Broker.Engine;
using OrleansStream.Broker.Groups.Offsets;
using OrleansStream.Broker.Groups.Records;
using OrleansStream.Broker.Groups.Runtime;
using OrleansStream.Broker.Groups.Snapshots;
using OrleansStream.Broker.Tests.Engine;
using OrleansStream.Protocol;
using OrleansStream.Protocol.Compression;
using OrleansStream.Protocol.Messages;
using OrleansStream.Protocol.Messages.Coordinators;
using OrleansStream.Protocol.Records;
using OrleansStream.Storage;
using OrleansStream.Storage.Ports;

namespace OrleansStream.Broker.Tests.Groups;

/// <summary>Snapshots of a partition of __consumer_offsets: what is loaded from them is what the log says, whatever becomes of them.</summary>
public sealed class SnapshotTests
{
    private static PartitionId Offsets(GroupRig rig) => new(rig.Engine.Cluster.TopicsByName["__consumer_offsets"].Id, 0);

    private static string Prefix(GroupRig rig) => SnapshotStore.Prefix(Offsets(rig));

    private static async Task<List<string>> NamesAsync(GroupRig rig)
    {
        var names = new List<string>();
        await foreach (var info in rig.Rig.Store.ListAsync(Prefix(rig), CancellationToken.None))
            names.Add(info.Name);
        return names;
    }

    /// <summary>The newest snapshot; it may go between the list and the read, when a newer one has come.</summary>
    private static async Task<StoredObject?> ReadAsync(GroupRig rig)
    {
        while (await NamesAsync(rig) is [.., var newest])
        {
            if (await rig.Rig.Store.ReadAsync(newest, CancellationToken.None) is { } there)
                return there;
        }
        return null;
    }

    /// <summary>Puts an object where the newest snapshot would be, one offset behind what is there.</summary>
    private static async Task PutAsync(GroupRig rig, byte[] content)
    {
        var newest = long.Parse((await NamesAsync(rig))[^1][Prefix(rig).Length..], CultureInfo.InvariantCulture);
        var put = await rig.Rig.Store.CreateAsync(SnapshotStore.NameOf(Offsets(rig), newest + 1), new ReadOnlySequence<byte>(content), CancellationToken.None);
        Assert.Equal(PutOutcome.Done, put.Outcome);
    }

    /// <summary>A rig whose log has been written to until its snapshot covers a hundred records.</summary>
    private static async Task<GroupRig> CommittedAsync()
    {
        var rig = await GroupRig.StartAsync();
        await CommitTwoHundredAsync(rig);
        await rig.Rig.UntilAsync(() => ReadAsync(rig).Result is { } there && GroupSnapshot.Open("it", Offsets(rig), there.Content).NextOffset >= 100);
        return rig;
    }

    private static async Task CommitTwoHundredAsync(GroupRig rig)
    {
        for (var i = 0; i < 200; i++)
            Assert.Equal(ErrorCode.None, await rig.CommitAsync("g", i % 10, i));
    }

    private static async Task AssertCommittedAsync(GroupRig rig)
    {
        for (var partition = 0; partition < 10; partition++)
            Assert.Equal(190 + partition, await rig.FetchAsync("g", partition));
    }

    [Fact]
    public async Task A_snapshot_holds_the_last_record_of_each_key_and_loading_begins_with_it()
    {
        await using var rig = await CommittedAsync();
        var snapshot = GroupSnapshot.Open("it", Offsets(rig), (await ReadAsync(rig))!.Content);
        var survivors = new SurvivingRecords();
        Assert.Equal(snapshot.NextOffset, Math.Max(snapshot.NextOffset, CoordinatorLog.Walk(new(snapshot.Batches), 0, survivors.Take)));
        Assert.Equal(10, survivors.Count);
        await rig.RestartAsync();
        await AssertCommittedAsync(rig);

        // It is what is loaded: a record that only it has is there, and one of the log behind it counts more.
        var partition = await rig.Rig.OpenAsync(rig.Engine, "__consumer_offsets");
        var end = partition.HighWatermark;
        Take(survivors, "g", 0, 4711, end - 1);
        Take(survivors, "other", 0, 5, end - 1);
        using (var content = survivors.ToObject(Offsets(rig), end))
            await PutAsync(rig, content.WrittenSpan.ToArray());
        await rig.CommitAsync("g", 1, 42);
        await rig.RestartAsync();
        Assert.Equal((4711, 42, 5), (await rig.FetchAsync("g"), await rig.FetchAsync("g", 1), await rig.FetchAsync("other")));
    }

    private static void Take(SurvivingRecords survivors, string group, int partition, long committed, long offset)
    {
        var value = new CommittedOffset(committed, -1, "", 1, -1, Guid.Empty);
        using var writer = new KafkaWriter();
        var lengths = RecordCodec.Write(
            CoordinatorRecord.Of(new OffsetCommitKey { Group = group, Topic = "t", Partition = partition }, value.ToValue(), value.ValueVersion), writer);
        var bytes = new ArrayBufferWriter<byte>();
        writer.CopyTo(bytes);
        using var batch = new RecordBatchBuilder { BaseOffset = offset };
        batch.Append(1, bytes.WrittenSpan[..lengths.KeyLength], bytes.WrittenSpan[lengths.KeyLength..]);
        CoordinatorLog.Walk(new(batch.Build()), 0, survivors.Take);
    }

    [Fact]
    public async Task A_snapshot_that_is_damaged_newer_or_of_another_log_is_left_alone_and_replaced_by_a_good_one()
    {
        await using var rig = await CommittedAsync();
        var good = (await ReadAsync(rig))!.Content.ToArray();
        byte[] damaged = [.. good], newer = [.. good];
        damaged[^10] ^= 1;
        newer[5] = GroupSnapshot.Version + 1;
        using var ahead = new SurvivingRecords().ToObject(Offsets(rig), 1_000_000);
        using var elsewhere = new SurvivingRecords().ToObject(new PartitionId(Guid.NewGuid(), 0), 1);
        foreach (var bad in (byte[][])[damaged, newer, [], [1, 2, 3], ahead.WrittenSpan.ToArray(), elsewhere.WrittenSpan.ToArray()])
        {
            await PutAsync(rig, bad);
            await rig.RestartAsync();
            await AssertCommittedAsync(rig);
            await CommitTwoHundredAsync(rig);
            await rig.Rig.UntilAsync(() => !ReadAsync(rig).Result!.Content.Span.SequenceEqual(bad));
            GroupSnapshot.Open("it", Offsets(rig), (await ReadAsync(rig))!.Content);
        }
    }

    [Fact]
    public async Task Records_that_were_deleted_are_in_no_snapshot()
    {
        await using var rig = await CommittedAsync();
        Assert.Equal(ErrorCode.None, (ErrorCode)(await rig.Groups.DeleteAsync(["g"]))[0].ErrorCode);
        // One that is being taken may end before these commits: then only further ones bring the next.
        var last = -1;
        while (GroupSnapshot.Open("it", Offsets(rig), (await ReadAsync(rig))!.Content) is not { NextOffset: > 215 })
        {
            Assert.True(last < 5000, "no snapshot is taken");
            await rig.CommitAsync("h", 0, ++last);
            await Task.Delay(1);
        }
        var survivors = new SurvivingRecords();
        CoordinatorLog.Walk(new(GroupSnapshot.Open("it", Offsets(rig), (await ReadAsync(rig))!.Content).Batches), 0, survivors.Take);
        Assert.Equal(1, survivors.Count);
        await rig.RestartAsync();
        Assert.Equal((-1, last), (await rig.FetchAsync("g"), await rig.FetchAsync("h")));
    }

    /// <summary>Commits, deletions and crashes in any order, over a store that fails, and loses the answers of writes that it did.</summary>
    [Theory]
    [MemberData(nameof(Seeds))]
    public async Task Nothing_is_lost_and_nothing_comes_back_whatever_the_store_does(int seed)
    {
        var random = new Random(seed);
        await using var rig = await GroupRig.StartAsync();
        var prefix = Prefix(rig);
        var (faults, turn) = (new Random(seed), new Lock());
        bool Fault()
        {
            lock (turn)
                return faults.Next(5) == 0;
        }
        rig.Rig.Store.BeforeCall = (operation, of) =>
            of.StartsWith(prefix, StringComparison.Ordinal) && operation is not ("read" or "list") && Fault() ? throw new StoreUnavailableException("not now") : ValueTask.CompletedTask;
        rig.Rig.Store.LoseAnswer = of => of.StartsWith(prefix, StringComparison.Ordinal) && Fault();
        var expected = new Dictionary<(string Group, int Partition), long>();
        var (covered, committed) = (0L, 0L);
        async Task CommitAsync(string group, int partition)
        {
            Assert.Equal(ErrorCode.None, await rig.CommitAsync(group, partition, ++committed));
            expected[(group, partition)] = committed;
        }
        for (var step = 0; step < 300; step++)
        {
            var (group, partition) = ($"g{random.Next(4)}", random.Next(4));
            switch (random.Next(30))
            {
                case 0:
                    // Not without a snapshot that is newer than at the last restart; where one failed, another is taken a few records later.
                    for (var tries = 0; await CoveredAsync(rig) <= covered; tries++)
                    {
                        Assert.True(tries < 5000, "no snapshot was taken");
                        await CommitAsync(group, partition);
                        await Task.Delay(1);
                    }
                    covered = await CoveredAsync(rig);
                    await rig.RestartAsync();
                    for (var g = 0; g < 4; g++)
                    {
                        for (var p = 0; p < 4; p++)
                            Assert.Equal(expected.GetValueOrDefault(($"g{g}", p), -1), await rig.FetchAsync($"g{g}", p));
                    }
                    break;
                case 1:
                    await rig.Groups.DeleteAsync([group]);
                    for (var p = 0; p < 4; p++)
                        expected.Remove((group, p));
                    break;
                case 2 or 3:
                    var request = new OffsetDeleteRequest { GroupId = group };
                    request.Topics.Add(new() { Name = "t" });
                    request.Topics[0].Partitions.Add(new() { PartitionIndex = partition });
                    await rig.Groups.DeleteOffsetsAsync(request);
                    expected.Remove((group, partition));
                    break;
                default:
                    await CommitAsync(group, partition);
                    break;
            }
        }
    }

    /// <summary>Where the snapshot ends; 0 where there is none.</summary>
    private static async Task<long> CoveredAsync(GroupRig rig) =>
        await ReadAsync(rig) is { } there ? GroupSnapshot.Open("it", Offsets(rig), there.Content).NextOffset : 0;

    public static TheoryData<int> Seeds => [.. Enumerable.Range(0, 10)];
}
