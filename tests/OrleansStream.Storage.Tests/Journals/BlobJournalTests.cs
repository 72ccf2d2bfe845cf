using System.Buffers;
using System.Runtime.CompilerServices;
using OrleansStream.Simulation.Kit;
using OrleansStream.Storage.Journals;
using OrleansStream.Storage.Journals.Blob;
using OrleansStream.Storage.Ports;

namespace OrleansStream.Storage.Tests.Journals;

public sealed class BlobJournalTests
{
    private static readonly PartitionId s_a = new(new Guid("0102030405060708090a0b0c0d0e0f10"), 0);
    private static readonly BlobJournalOptions s_small = new() { MaxObjectBytes = 8 << 10, WaitingPerDelete = 3 };

    /// <summary>
    /// A writer that appends, trims, sleeps and wakes, or dies; two fencers; a store that loses, delays and lies. Whatever was or will be confirmed is in both
    /// replays, both are the same, and nothing is missing but what was sealed.
    /// </summary>
    [Fact]
    public void Fences_race_with_a_writer_that_sleeps_or_dies_and_with_its_trimming()
    {
        DiskJournalTests.Each(seed =>
        {
            var world = new SimulationScheduler(seed);
            var store = new SimulatedObjectStore(world) { Faults = seed % 3 == 0 ? StoreFaults.None : StoreFaults.Some };
            world.Run(async () =>
            {
                var writer = new SimulatedProcess(world, "writer");
                var journal = await OpenAsync(writer, store);
                var entries = new List<TestEntry>();
                var done = new List<TestEntry>();
                long sealedTo = 0;
                writer.Start("appends", async () =>
                {
                    for (var i = 0; i < 400; i++)
                    {
                        entries.Add(new TestEntry(s_a, 1, i, 1, world.Random.Next(1, 3000), done.Add));
                        journal.Append(entries[^1]);
                        if (world.Chance(0.4))
                        {
                            await writer.Delay(world.Between(0, 20));
                        }

                        var durable = done.LastOrDefault(e => e.Outcome == JournalOutcome.Durable);
                        if (world.Chance(0.1) && durable is not null)
                        {
                            sealedTo = world.Random.NextInt64(sealedTo, durable.LastOffset + 2);
                            journal.Sealed(s_a, 1, sealedTo);
                        }
                    }
                });
                await world.Script.Delay(world.Between(0, 1500));
                var fate = world.Random.Next(3);
                if (fate == 0)
                {
                    writer.Crash();
                }
                else if (fate == 1)
                {
                    writer.Pause();
                    world.After(world.Between(0, 5000), writer.Resume);
                }

                var replays = await Task.WhenAll(Fence("first"), Fence("second"));
                await world.Script.Delay(TimeSpan.FromSeconds(60));
                Check(replays[0]);
                Check(replays[1]);
                Check(await Fence("third"));
                if (fate != 0)
                {
                    await writer.CallAsync(async () =>
                    {
                        // An idle writer notices nothing; its next commit does.
                        entries.Add(new TestEntry(s_a, 1, entries.Count, 1, 10, done.Add));
                        journal.Append(entries[^1]);
                        await journal.Closed;
                        await writer.Delay(TimeSpan.FromSeconds(1));
                    });
                    Assert.Contains("fenced", await journal.Closed, StringComparison.Ordinal);
                    Assert.Equal(entries, done);
                }

                async Task<ReplayList> Fence(string name)
                {
                    var process = new SimulatedProcess(world, name);
                    await world.Script.Delay(world.Between(0, 100));
                    var system = new BlobJournalSystem(store.Connect(process), process.Ports, s_small);
                    await RetryAsync(process, () => system.FenceAsync(journal.Id, default));
                    ReplayList? replay = null;
                    await RetryAsync(process, () => system.ReplayAsync(journal.Id, replay = new ReplayList(), default));
                    return replay!;
                }

                void Check(ReplayList replay)
                {
                    var first = replay.Entries.Count == 0 ? (int)sealedTo : (int)replay.Entries[0].BaseOffset;
                    Assert.InRange(first, 0, sealedTo);
                    var confirmed = done.Count(e => e.Outcome == JournalOutcome.Durable);
                    Assert.True(first + replay.Entries.Count >= confirmed, $"I1: {confirmed} confirmed, replayed {first} to {first + replay.Entries.Count}");
                    for (var i = 0; i < replay.Entries.Count; i++)
                    {
                        Assert.True(replay.Entries[i].Is(entries[first + i]), $"{entries[first + i]}");
                    }

                    // All replays end at the same entry.
                    Assert.Equal(replays[0].Entries.LastOrDefault()?.LastOffset ?? sealedTo - 1, replay.Entries.LastOrDefault()?.LastOffset ?? sealedTo - 1);
                }
            });
        }, 300);
    }

    [Fact]
    public void A_put_that_succeeds_and_reports_a_conflict_is_a_success()
    {
        OnStore(async (world, store) =>
        {
            store.Faults = new StoreFaults { FalseConflict = 1 };
            var journal = await OpenAsync(world.Script, store);
            var entry = new TestEntry(s_a, 0, 0, 1, 100);
            journal.Append(entry);
            await journal.CloseAsync(default);
            Assert.Equal(JournalOutcome.Durable, entry.Outcome);
        });
    }

    [Fact]
    public void A_store_that_stays_away_makes_entries_wait_and_nothing_else()
    {
        OnEachStore(async (world, store) =>
        {
            var journal = await OpenAsync(world.Script, store);
            store.CutOff(world.Script);
            var done = new List<TestEntry>();
            var entries = Enumerable.Range(0, 100).Select(i => new TestEntry(s_a, 0, i, 1, 900, done.Add)).ToList();
            entries.ForEach(journal.Append);
            await world.Script.Delay(TimeSpan.FromMinutes(10));
            Assert.Empty(done);
            Assert.Equal(90_000, journal.PendingBytes);
            store.Restore(world.Script);
            await world.Script.Delay(TimeSpan.FromSeconds(30));
            Assert.Equal(entries, done);
            Assert.All(entries, e => Assert.Equal(JournalOutcome.Durable, e.Outcome));
        }, 10);
    }

    [Fact]
    public void Entries_gather_while_all_slots_are_busy_and_linger_gathers_more()
    {
        Assert.InRange(Objects(s_small), 30, 101);
        Assert.InRange(Objects(s_small with { PutsInFlight = 1 }), 5, 30);
        Assert.InRange(Objects(s_small with { Linger = TimeSpan.FromMilliseconds(100) }), 2, 6);

        static int Objects(BlobJournalOptions options)
        {
            var world = new SimulationScheduler(1);
            var store = new SimulatedObjectStore(world);
            world.Run(async () =>
            {
                var journal = await new BlobJournalSystem(store.Connect(world.Script), world.Script.Ports, options).OpenAsync(default);
                for (var i = 0; i < 100; i++)
                {
                    journal.Append(new TestEntry(s_a, 0, i, 1, 10));
                    await world.Script.Delay(TimeSpan.FromMilliseconds(3));
                }

                await journal.CloseAsync(default);
            });
            return store.Objects.Count;
        }
    }

    [Fact]
    public void An_idle_journal_trims_all_but_its_newest_object()
    {
        OnStore(async (world, store) =>
        {
            store.Faults = StoreFaults.Some;
            var journal = await OpenAsync(world.Script, store);
            for (var i = 0; i < 100; i++)
            {
                journal.Append(new TestEntry(s_a, 0, i, 1, 1000));
            }

            await world.Script.Delay(TimeSpan.FromSeconds(60));
            Assert.True(store.Objects.Count > 10);
            for (var i = 0; i < 5; i++)
            {
                journal.Sealed(s_a, 0, 100);
                await world.Script.Delay(TimeSpan.FromSeconds(60));
                Assert.Single(store.Objects);
            }

            Assert.Equal(new JournalBacklog(0, 0, []).Bytes, journal.Backlog().Bytes);
        });
    }

    [Fact]
    public void An_object_that_was_durable_and_is_gone_or_damaged_is_refused()
    {
        OnEachStore(async (world, store) =>
        {
            var journal = await OpenAsync(world.Script, store);
            for (var i = 0; i < 60; i++)
            {
                journal.Append(new TestEntry(s_a, 0, i, 1, 3000));
            }

            await journal.CloseAsync(default);
            var system = new BlobJournalSystem(store.Connect(world.Script), world.Script.Ports, s_small);
            var victim = store.Objects.Keys.ElementAt(world.Random.Next(1, store.Objects.Count - 5));
            var gone = world.Chance(0.5);
            store.Tamper(victim, bytes =>
            {
                bytes[world.Random.Next(bytes.Length)] ^= 1;
                return gone ? null : bytes;
            });
            var refused = await Assert.ThrowsAsync<JournalCorruptException>(async () =>
            {
                await system.FenceAsync(journal.Id, default);
                await system.ReplayAsync(journal.Id, new ReplayList(), default);
            });
            Assert.Contains(victim, refused.Message, StringComparison.Ordinal);

            var accepting = new BlobJournalSystem(store.Connect(world.Script), world.Script.Ports, s_small with { AcceptLoss = true });
            var replay = new ReplayList();
            await accepting.FenceAsync(journal.Id, default);
            await accepting.ReplayAsync(journal.Id, replay, default);
            Assert.InRange(replay.Entries.Count, 0, 59);
            Assert.All(replay.Entries, (e, i) => Assert.Equal(i, e.BaseOffset));
        });
    }

    /// <summary>Its first page was made when an object was still on its way, its last one when a newer object stated that this one is durable.</summary>
    [Fact]
    public void What_lands_behind_a_listing_that_is_under_way_is_not_taken_for_lost()
    {
        OnStore(async (world, store) =>
        {
            var journal = await OpenAsync(world.Script, store);
            for (var i = 0; i < 60; i++)
            {
                journal.Append(new TestEntry(s_a, 0, i, 1, 3000));
            }

            await journal.CloseAsync(default);
            var late = store.Objects.Keys.ElementAt(1);
            var system = new BlobJournalSystem(new ListsLate(store.Connect(world.Script), late), world.Script.Ports, s_small);
            await system.FenceAsync(journal.Id, default);
            var replay = new ReplayList();
            await system.ReplayAsync(journal.Id, replay, default);
            Assert.Equal(60, replay.Entries.Count);
        });
    }

    /// <summary>The first listing misses one object.</summary>
    private sealed class ListsLate(IObjectStore inner, string late) : WrappedStore(inner)
    {
        private bool _listed;

        public override async IAsyncEnumerable<ObjectInfo> ListAsync(string prefix, [EnumeratorCancellation] CancellationToken cancel)
        {
            var first = !_listed;
            _listed = true;
            await foreach (var info in Inner.ListAsync(prefix, cancel))
            {
                if (!first || info.Name != late)
                {
                    yield return info;
                }
            }
        }
    }

    /// <summary>A store takes several puts at a time, so that deletes one by one would never come to an end under load.</summary>
    [Theory]
    [InlineData(8, 1)]
    [InlineData(25, 3)]
    [InlineData(200, 8)]
    public void The_more_trimming_lags_behind_the_more_deletes_are_under_way(int objects, int most)
    {
        var world = new SimulationScheduler(1);
        var objectStore = new SimulatedObjectStore(world);
        world.Run(async () =>
        {
            var store = new CountsDeletes(objectStore.Connect(world.Script));
            var journal = await new BlobJournalSystem(store, world.Script.Ports, s_small with { WaitingPerDelete = 10 }).OpenAsync(default);
            for (var i = 0; i < objects; i++)
            {
                // Each its own object.
                var durable = false;
                journal.Append(new TestEntry(s_a, 1, i, 1, 100, _ => durable = true));
                while (!durable)
                {
                    await world.Script.Delay(TimeSpan.FromMilliseconds(1));
                }
            }

            journal.Sealed(s_a, 1, objects);
            await world.Script.Delay(TimeSpan.FromMinutes(2));
            Assert.Single(objectStore.Objects);
            Assert.Equal(most, store.Most);
        });
    }

    private sealed class CountsDeletes(IObjectStore inner) : WrappedStore(inner)
    {
        private int _underWay;

        public int Most { get; private set; }

        public override async ValueTask DeleteAsync(string name, CancellationToken cancel)
        {
            Most = Math.Max(Most, ++_underWay);
            await base.DeleteAsync(name, cancel);
            _underWay--;
        }
    }

    [Fact]
    public void Deleting_leaves_the_marker_and_a_writer_that_wakes_stays_fenced()
    {
        OnEachStore(async (world, store) =>
        {
            var writer = new SimulatedProcess(world, "writer");
            var journal = await OpenAsync(writer, store);
            var late = new List<TestEntry>();
            await writer.CallAsync(async () =>
            {
                for (var i = 0; i < 30; i++)
                {
                    journal.Append(new TestEntry(s_a, 0, i, 1, 3000));
                    await writer.Delay(world.Between(0, 5));
                }
            });
            writer.Pause();
            var system = new BlobJournalSystem(store.Connect(world.Script), world.Script.Ports, s_small);
            await system.DeleteAsync(journal.Id, default);
            await system.DeleteAsync(journal.Id, default);
            Assert.Empty(await system.ListAsync(default));
            writer.Resume();
            await writer.CallAsync(async () =>
            {
                late.Add(new TestEntry(s_a, 0, 30, 1, 10));
                journal.Append(late[0]);
                for (var i = 0; i < 20; i++)
                {
                    journal.Append(new TestEntry(s_a, 0, 31 + i, 1, 5000));
                }

                await journal.Closed;
            });
            Assert.Equal(JournalOutcome.Fenced, late[0].Outcome);
            await world.Script.Delay(TimeSpan.FromSeconds(1));

            // What the writer put behind the marker is nothing, even if it named the journal in a manifest again.
            var replay = new ReplayList();
            await system.FenceAsync(journal.Id, default);
            await system.ReplayAsync(journal.Id, replay, default);
            Assert.Empty(replay.Entries);
            await system.DeleteAsync(journal.Id, default);
            Assert.Empty(await system.ListAsync(default));
            Assert.All(store.Objects, o => Assert.True(o.Value.Content.Length == 96 || o.Key.EndsWith("/deleted", StringComparison.Ordinal)));
        });
    }

    [Fact]
    public void Replaying_what_is_not_fenced_is_a_defect()
    {
        OnStore(async (world, store) =>
        {
            var journal = await OpenAsync(world.Script, store);
            var system = new BlobJournalSystem(store.Connect(world.Script), world.Script.Ports, s_small);
            await Assert.ThrowsAsync<InvalidOperationException>(() => system.ReplayAsync(journal.Id, new ReplayList(), default).AsTask());
        });
    }

    [Fact]
    public void Fencing_the_own_journal_closes_it_and_disposing_waits_for_no_store()
    {
        OnEachStore(async (world, store) =>
        {
            store.Faults = StoreFaults.Some;
            var system = new BlobJournalSystem(store.Connect(world.Script), world.Script.Ports, s_small);
            IJournal? journal = null;
            await RetryAsync(world.Script, async () => journal = await system.OpenAsync(default));
            var entries = Enumerable.Range(0, 40).Select(i => new TestEntry(s_a, 0, i, 1, 2000)).ToList();
            entries.ForEach(journal!.Append);
            await world.Script.Delay(world.Between(0, 100));
            if (world.Chance(0.5))
            {
                await RetryAsync(world.Script, () => system.FenceAsync(journal.Id, default));
            }
            else
            {
                store.CutOff(world.Script);
                await journal.DisposeAsync();
                store.Restore(world.Script);
                await RetryAsync(world.Script, () => system.FenceAsync(journal.Id, default));
            }

            Assert.All(entries, e => Assert.NotNull(e.Outcome));
            var durable = entries.Count(e => e.Outcome == JournalOutcome.Durable);
            Assert.All(entries.Skip(durable), e => Assert.Equal(JournalOutcome.Fenced, e.Outcome));
            ReplayList? replay = null;
            await RetryAsync(world.Script, () => system.ReplayAsync(journal.Id, replay = new ReplayList(), default));
            Assert.InRange(replay!.Entries.Count, durable, entries.Count);
        });
    }

    private static void OnEachStore(Func<SimulationScheduler, SimulatedObjectStore, Task> test, int seeds = 60) =>
        DiskJournalTests.Each(seed => OnStore(test, seed), seeds);

    private static void OnStore(Func<SimulationScheduler, SimulatedObjectStore, Task> test, int seed = 1)
    {
        var world = new SimulationScheduler(seed);
        var store = new SimulatedObjectStore(world);
        world.Run(() => test(world, store));
    }

    private static async ValueTask<IJournal> OpenAsync(SimulatedProcess process, SimulatedObjectStore store)
    {
        IJournal? journal = null;
        await RetryAsync(process, async () => journal = await new BlobJournalSystem(store.Connect(process), process.Ports, s_small).OpenAsync(default));
        return journal!;
    }

    private static async Task RetryAsync(SimulatedProcess process, Func<ValueTask> call)
    {
        while (true)
        {
            try
            {
                await process.CallAsync(call);
                return;
            }
            catch (StoreUnavailableException)
            {
                await process.World.Script.Delay(TimeSpan.FromMilliseconds(100));
            }
        }
    }
}
