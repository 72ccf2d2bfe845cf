using OrleansStream.Simulation.Kit;
using OrleansStream.Storage.Journals;
using OrleansStream.Storage.Journals.Disk;

namespace OrleansStream.Storage.Tests.Journals;

public sealed class DiskJournalTests
{
    private static readonly PartitionId s_a = new(new Guid("0102030405060708090a0b0c0d0e0f10"), 0);
    private static readonly PartitionId s_b = s_a with { Index = 1 };

    internal static readonly DiskJournalOptions Small = new()
    {
        FileBytes = 32 << 10, MaxCommitBytes = 16 << 10, MaxBytes = 512 << 10, ZeroedAhead = 2,
    };

    [Fact]
    public void What_is_durable_is_replayed_in_order_after_a_crash()
    {
        OnEachDisk(async (world, disk) =>
        {
            for (var round = 0; round < 3; round++)
            {
                var process = new SimulatedProcess(world, "broker");
                var system = new DiskJournalSystem(disk.Mount(process), process.Ports, Small);
                var journal = await process.CallAsync(() => system.OpenAsync(default));
                var entries = new List<TestEntry>();
                var done = new List<TestEntry>();
                process.Start("appends", async () =>
                {
                    for (var i = 0; i < 200; i++)
                    {
                        var entry = new TestEntry(i % 2 == 0 ? s_a : s_b, 1, i * 10, 10, world.Random.Next(1, 6000), done.Add);
                        entries.Add(entry);
                        journal.Append(entry);
                        if (world.Chance(0.3))
                        {
                            await process.Delay(world.Between(0, 2));
                        }
                    }
                });
                await world.Script.Delay(world.Between(0, 70));
                process.Crash();

                // Twice: the second replay must not see less, even after another crash.
                var counts = new List<int>();
                for (var again = 0; again < 2; again++)
                {
                    var next = new SimulatedProcess(world, "next");
                    var replay = new ReplayList();
                    var reader = new DiskJournalSystem(disk.Mount(next), next.Ports, Small);
                    await next.CallAsync(() => reader.ReplayAsync(journal.Id, replay, default));
                    AssertPrefix(entries, done, replay);
                    counts.Add(replay.Entries.Count);
                    next.Crash();
                }

                Assert.Equal(counts[0], counts[1]);
                var sweeper = new SimulatedProcess(world, "sweeper");
                var sweep = new DiskJournalSystem(disk.Mount(sweeper), sweeper.Ports, Small);
                await sweeper.CallAsync(() => sweep.DeleteAsync(journal.Id, default));
                Assert.DoesNotContain(journal.Id, await sweeper.CallAsync(() => sweep.ListAsync(default)));
                sweeper.Crash();
            }

            Assert.InRange(disk.Files.Values.Sum(f => (long)f.Length), 0, Small.MaxBytes + 8 * Small.FileBytes);
        });
    }

    [Fact]
    public void Commits_gather_what_came_meanwhile()
    {
        OnDisk(async (world, disk) =>
        {
            var journal = await OpenAsync(world.Script, disk);
            for (var i = 0; i < 100; i++)
            {
                journal.Append(new TestEntry(s_a, 0, i, 1, 100));
            }

            await journal.CloseAsync(default);
            Assert.Equal(0, journal.PendingBytes);
            Assert.Equal(2, disk.Writes);
        });
    }

    [Fact]
    public void A_failed_sync_closes_the_journal_for_good_and_its_block_is_never_believed()
    {
        OnEachDisk(async (world, disk) =>
        {
            var system = new DiskJournalSystem(disk.Mount(world.Script), world.Script.Ports, Small);
            var journal = await system.OpenAsync(default);
            var done = new List<TestEntry>();
            var entries = Enumerable.Range(0, 60).Select(i => new TestEntry(s_a, 0, i, 1, 3000, done.Add)).ToList();
            disk.Faults = new DiskFaults { FailedSync = 0.2 };
            foreach (var entry in entries)
            {
                journal.Append(entry);
                await world.Script.Delay(world.Between(0, 2));
            }

            disk.Faults = DiskFaults.None;
            await journal.CloseAsync(default);
            var late = new TestEntry(s_a, 0, 100, 1, 10);
            journal.Append(late);
            await world.Script.Delay(TimeSpan.FromSeconds(1));
            Assert.Equal(entries, done);
            var durable = entries.TakeWhile(e => e.Outcome == JournalOutcome.Durable).ToList();
            Assert.All(entries.Skip(durable.Count), e => Assert.Equal(JournalOutcome.Fenced, e.Outcome));
            Assert.Equal(JournalOutcome.Fenced, late.Outcome);

            for (var again = 0; again < 2; again++)
            {
                var replay = new ReplayList();
                await system.ReplayAsync(journal.Id, replay, default);
                Assert.Equal(durable.Count, replay.Entries.Count);
                system = new DiskJournalSystem(disk.Mount(world.Script), world.Script.Ports, Small);
            }
        });
    }

    [Fact]
    public void A_full_disk_closes_the_journal_with_the_reason()
    {
        OnDisk(async (world, disk) =>
        {
            disk.Capacity = 2 * Small.FileBytes;
            var journal = await OpenAsync(world.Script, disk);
            for (var i = 0; i < 30; i++)
            {
                journal.Append(new TestEntry(s_a, 0, i, 1, 4000));
            }

            Assert.Contains("no space left", await journal.Closed, StringComparison.Ordinal);
        });
    }

    [Fact]
    public void Files_made_ahead_leave_room_on_the_disk_and_are_given_back_where_it_fills_up()
    {
        var world = new SimulationScheduler(1);
        var options = Small with { ZeroedAhead = 8, LeaveFreeBytes = 4 * Small.FileBytes };
        var disk = new SimulatedDisk(world) { Capacity = 8 * Small.FileBytes };
        world.Run(async () =>
        {
            var system = new DiskJournalSystem(disk.Mount(world.Script), world.Script.Ports, options);
            var journal = await system.OpenAsync(default);
            await world.Script.Delay(TimeSpan.FromSeconds(10));
            Assert.Equal(4, disk.Files.Count);

            // Somebody else takes two files' worth; the next roll uses a spare, and looks.
            disk.Capacity -= 2 * Small.FileBytes;
            for (var i = 0; i < 9; i++)
            {
                journal.Append(new TestEntry(s_a, 0, i, 1, 4000));
            }

            await world.Script.Delay(TimeSpan.FromSeconds(10));
            Assert.False(journal.Closed.IsCompleted);
            Assert.Equal(2, disk.Files.Count);
        });
    }

    [Fact]
    public void Sealed_data_lets_files_be_recycled_and_what_is_not_sealed_stays()
    {
        OnEachDisk(async (world, disk) =>
        {
            var process = new SimulatedProcess(world, "broker");
            var journal = await OpenAsync(process, disk);
            var done = new List<TestEntry>();
            var entries = new List<TestEntry>();
            long sealedTo = 0;
            var stop = process.CallAsync(async () =>
            {
                for (var i = 0; i < 600; i++)
                {
                    entries.Add(new TestEntry(s_a, 3, i, 1, world.Random.Next(1, 5000), done.Add));
                    journal.Append(entries[^1]);
                    await process.Delay(world.Between(0, 3));
                    if (world.Chance(0.05) && done.Count > 0)
                    {
                        sealedTo = world.Random.NextInt64(sealedTo, done[^1].LastOffset + 2);
                        journal.Sealed(s_a, 3, sealedTo);
                    }
                }
            });
            if (world.Chance(0.8))
            {
                await world.Script.Delay(world.Between(100, 800));
                process.Crash();
            }
            else
            {
                await stop;
                await world.Script.Delay(TimeSpan.FromSeconds(5));
                process.Crash();
            }

            await stop.ContinueWith(_ => { }, TaskContinuationOptions.ExecuteSynchronously);
            var replay = new ReplayList();
            var next = new SimulatedProcess(world, "next");
            var system = new DiskJournalSystem(disk.Mount(next), next.Ports, Small);
            await next.CallAsync(() => system.ReplayAsync(journal.Id, replay, default));
            var first = replay.Entries.Count == 0 ? done.Count : (int)replay.Entries[0].BaseOffset;
            Assert.InRange(first, 0, sealedTo);
            AssertPrefix(entries.Skip(first).ToList(), done.Skip(first).ToList(), replay);
            Assert.InRange(disk.FilesCreated, 0, 40);
        });
    }

    [Fact]
    public void An_idle_journal_gives_up_what_is_sealed()
    {
        OnDisk(async (world, disk) =>
        {
            var journal = await OpenAsync(world.Script, disk);
            for (var i = 0; i < 40; i++)
            {
                journal.Append(new TestEntry(i % 2 == 0 ? s_a : s_b, 0, i, 1, 4000));
            }

            await world.Script.Delay(TimeSpan.FromSeconds(10));
            Assert.Equal([s_a, s_b], journal.Backlog().OldestPartitions.OrderBy(p => p.Index));
            Assert.InRange(journal.Backlog().AgeMilliseconds, 9_000, 10_001);
            journal.Sealed(s_a, 0, 40);
            await world.Script.Delay(TimeSpan.FromSeconds(10));
            Assert.Equal([s_b], journal.Backlog().OldestPartitions);
            Assert.True(disk.Files.Keys.Count(k => k.StartsWith("journal-", StringComparison.Ordinal)) > 5);
            journal.Sealed(s_b, 0, 40);
            Assert.Equal(0, journal.Backlog().Bytes);
            await world.Script.Delay(TimeSpan.FromSeconds(10));
            Assert.Single(disk.Files.Keys, k => k.StartsWith("journal-", StringComparison.Ordinal));
        });
    }

    [Fact]
    public void A_damaged_middle_is_refused_with_file_and_offset_unless_the_loss_is_accepted()
    {
        OnEachDisk(async (world, disk) =>
        {
            var journal = await OpenAsync(world.Script, disk);
            var total = world.Random.Next(20, 60);
            for (var i = 0; i < total; i++)
            {
                journal.Append(new TestEntry(s_a, 0, i, 1, 3900));
                await world.Script.Delay(TimeSpan.FromMilliseconds(3));
            }

            await journal.CloseAsync(default);
            var files = disk.Files.Keys.Where(k => k.StartsWith("journal-", StringComparison.Ordinal)).ToList();
            var file = files[world.Random.Next(files.Count - 1)];
            disk.Tamper(file, bytes => bytes[4096 * world.Random.Next(1, 8) + world.Random.Next(100, 3900)] ^= 4);

            var system = new DiskJournalSystem(disk.Mount(world.Script), world.Script.Ports, Small);
            var refused = await Assert.ThrowsAsync<JournalCorruptException>(() => system.ReplayAsync(journal.Id, new ReplayList(), default).AsTask());
            Assert.Contains(file, refused.Message, StringComparison.Ordinal);

            var accepting = new DiskJournalSystem(disk.Mount(world.Script), world.Script.Ports, Small with { AcceptLoss = true });
            var replay = new ReplayList();
            await accepting.ReplayAsync(journal.Id, replay, default);
            Assert.InRange(replay.Entries.Count, 0, total - 1);
            Assert.All(replay.Entries, (e, i) => Assert.Equal(i, e.BaseOffset));

            // The loss is the journal's end from now on.
            var again = new ReplayList();
            await system.ReplayAsync(journal.Id, again, default);
            Assert.Equal(replay.Entries.Count, again.Entries.Count);
        });
    }

    [Fact]
    public void A_missing_file_is_refused()
    {
        OnDisk(async (world, disk) =>
        {
            var journal = await OpenAsync(world.Script, disk);
            for (var i = 0; i < 40; i++)
            {
                journal.Append(new TestEntry(s_a, 0, i, 1, 4000));
            }

            await journal.CloseAsync(default);
            var system = new DiskJournalSystem(disk.Mount(world.Script), world.Script.Ports, Small);
            foreach (var name in disk.Files.Keys.Where(k => k.StartsWith("journal-", StringComparison.Ordinal)).ToList())
            {
                await disk.Mount(world.Script).DeleteAsync(name, default);
                await Assert.ThrowsAsync<JournalCorruptException>(() => system.ReplayAsync(journal.Id, new ReplayList(), default).AsTask());
            }
        });
    }

    [Fact]
    public void A_newer_format_is_refused_by_its_version()
    {
        OnDisk(async (world, disk) =>
        {
            var journal = await OpenAsync(world.Script, disk);
            await journal.CloseAsync(default);
            disk.Tamper(disk.Files.Keys.First(k => k.StartsWith("journal-", StringComparison.Ordinal)), bytes => bytes[4] = 2);
            var system = new DiskJournalSystem(disk.Mount(world.Script), world.Script.Ports, Small);
            var refused = await Assert.ThrowsAsync<UnsupportedFormatException>(() => system.ListAsync(default).AsTask());
            Assert.Contains("newer version of this program (format 2", refused.Message, StringComparison.Ordinal);
        });
    }

    [Fact]
    public void A_block_larger_than_a_file_gets_a_file_of_its_own()
    {
        OnDisk(async (world, disk) =>
        {
            var system = new DiskJournalSystem(disk.Mount(world.Script), world.Script.Ports, Small);
            var journal = await system.OpenAsync(default);
            var entries = Enumerable.Range(0, 12).Select(i => new TestEntry(s_a, 0, i, 1, i % 3 == 1 ? 5_000_000 : 2000)).ToList();
            entries.ForEach(journal.Append);
            await journal.CloseAsync(default);
            var replay = new ReplayList();
            await system.ReplayAsync(journal.Id, replay, default);
            AssertPrefix(entries, entries, replay);
        });
    }

    [Fact]
    public void Fencing_the_own_journal_lets_the_write_in_flight_resolve_and_refuses_the_rest()
    {
        OnEachDisk(async (world, disk) =>
        {
            var system = new DiskJournalSystem(disk.Mount(world.Script), world.Script.Ports, Small);
            var journal = await system.OpenAsync(default);
            var done = new List<TestEntry>();
            var entries = Enumerable.Range(0, 50).Select(i => new TestEntry(s_a, 0, i, 1, 4000, done.Add)).ToList();
            entries.ForEach(journal.Append);
            await world.Script.Delay(world.Between(0, 8));
            await Assert.ThrowsAsync<InvalidOperationException>(() => system.ReplayAsync(journal.Id, new ReplayList(), default).AsTask());
            await system.FenceAsync(journal.Id, default);
            Assert.Equal(entries, done);
            var replay = new ReplayList();
            await system.ReplayAsync(journal.Id, replay, default);
            Assert.Equal(entries.Count(e => e.Outcome == JournalOutcome.Durable), replay.Entries.Count);
        });
    }

    private static void OnEachDisk(Func<SimulationScheduler, SimulatedDisk, Task> test) => Each(seed => OnDisk(test, seed));

    private static void OnDisk(Func<SimulationScheduler, SimulatedDisk, Task> test, int seed = 1)
    {
        var world = new SimulationScheduler(seed);
        var disk = new SimulatedDisk(world);
        world.Run(() => test(world, disk));
    }

    private static ValueTask<IJournal> OpenAsync(SimulatedProcess process, SimulatedDisk disk) =>
        new(process.CallAsync(() => new DiskJournalSystem(disk.Mount(process), process.Ports, Small).OpenAsync(default)));

    /// <summary>All that was confirmed, in order, then perhaps some of what was in flight.</summary>
    internal static void AssertPrefix(IReadOnlyList<TestEntry> entries, IReadOnlyList<TestEntry> done, ReplayList replay)
    {
        Assert.Equal(entries.Take(done.Count), done);
        Assert.InRange(replay.Entries.Count, done.Count(e => e.Outcome == JournalOutcome.Durable), entries.Count);
        for (var i = 0; i < replay.Entries.Count; i++)
        {
            Assert.True(replay.Entries[i].Is(entries[i]), $"entry {i}: {entries[i]}");
        }
    }

    internal static void Each(Action<int> run, int seeds = 60)
    {
        for (var seed = 0; seed < seeds; seed++)
        {
            try
            {
                run(seed);
            }
            catch (Exception e) when (e is not SimulationFailedException)
            {
                throw new InvalidOperationException($"seed {seed}", e);
            }
        }
    }
}
