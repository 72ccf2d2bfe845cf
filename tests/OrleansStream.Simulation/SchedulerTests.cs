using OrleansStream.Simulation.Kit;

namespace OrleansStream.Simulation;

/// <summary>The simulation itself: one seed gives one run, a crash stops a process for good, and what would hang is reported.</summary>
public sealed class SchedulerTests
{
    [Fact]
    public void One_seed_gives_one_run()
    {
        Assert.Equal(Run(7), Run(7));
        Assert.NotEqual(Run(7), Run(8));

        static (ulong, string) Run(int seed)
        {
            var order = "";
            var world = new SimulationScheduler(seed);
            world.Run(async () =>
            {
                var process = new SimulatedProcess(world, "a");
                await Task.WhenAll(Enumerable.Range(0, 10).Select(i => process.CallAsync(async () =>
                {
                    await process.Delay(world.Between(0, 5));
                    await Task.Yield();
                    order += i;
                    return i;
                })));
            });
            return (world.Digest, order);
        }
    }

    [Fact]
    public void A_crashed_process_runs_nothing_more()
    {
        for (var seed = 0; seed < 50; seed++)
        {
            var world = new SimulationScheduler(seed);
            var process = new SimulatedProcess(world, "a");
            var count = 0;
            world.Run(async () =>
            {
                process.Start("counter", async () =>
                {
                    while (true)
                    {
                        Assert.True(process.Alive);
                        count++;
                        await process.Delay(TimeSpan.FromMilliseconds(1));
                    }
                });
                world.AfterSteps(world.Random.Next(1, 100), process.Crash);
                await Assert.ThrowsAsync<ProcessCrashedException>(() => process.CallAsync(async () => await process.Delay(TimeSpan.FromDays(1))));
                var before = count;
                await world.Script.Delay(TimeSpan.FromSeconds(1));
                Assert.Equal(before, count);
            });
        }
    }

    [Fact]
    public void A_deadlock_is_reported_with_its_seed()
    {
        var failure = Assert.Throws<SimulationFailedException>(() => new SimulationScheduler(42).Run(() => new TaskCompletionSource().Task));
        Assert.Contains("seed 42: deadlock", failure.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Background_work_that_throws_fails_the_run()
    {
        var world = new SimulationScheduler(1);
        var failure = Assert.Throws<SimulationFailedException>(() => world.Run(async () =>
        {
            world.Script.Start("bad", () => throw new InvalidOperationException("a defect"));
            await world.Script.Delay(TimeSpan.FromSeconds(1));
        }));
        Assert.Contains("a defect", failure.Message, StringComparison.Ordinal);
    }
}
