using Microsoft.Extensions.Logging.Abstractions;
using OrleansStream.Platform.Runtime;
using OrleansStream.Storage.Ports;

namespace OrleansStream.Platform.Tests.Runtime;

public sealed class ThreadSchedulerTests
{
    private static (IScheduler Scheduler, Task<Exception> Failed) Make()
    {
        var failed = new TaskCompletionSource<Exception>(TaskCreationOptions.RunContinuationsAsynchronously);
        return (SystemPorts.Create(NullLoggerFactory.Instance, e => failed.TrySetResult(e)).Scheduler, failed.Task);
    }

    [Fact]
    public async Task Every_continuation_of_a_dedicated_body_comes_back_to_its_thread()
    {
        var (scheduler, _) = Make();
        var done = new TaskCompletionSource<List<int>>(TaskCreationOptions.RunContinuationsAsynchronously);
        scheduler.StartDedicated("loop", async () =>
        {
            List<int> threads = [];
            for (var i = 0; i < 100; i++)
            {
                await Task.Run(static () => { });
                await Task.Yield();
                threads.Add(Environment.CurrentManagedThreadId);
            }
            done.SetResult(threads);
        });
        var seen = await done.Task;
        Assert.Single(seen.Distinct());
        Assert.NotEqual(Environment.CurrentManagedThreadId, seen[0]);
    }

    [Fact]
    public async Task Many_posts_to_a_dedicated_loop_all_run_in_order_of_each_sender()
    {
        var (scheduler, _) = Make();
        var context = new TaskCompletionSource<SynchronizationContext>(TaskCreationOptions.RunContinuationsAsynchronously);
        var end = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        scheduler.StartDedicated("loop", async () =>
        {
            context.SetResult(SynchronizationContext.Current!);
            await end.Task;
        });
        var loop = await context.Task;
        List<(int Sender, int Number)> arrived = [];
        var all = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        await Task.WhenAll(Enumerable.Range(0, 4).Select(sender => Task.Run(() =>
        {
            for (var i = 0; i < 1000; i++)
            {
                var number = i;
                loop.Post(_ =>
                {
                    arrived.Add((sender, number));
                    if (arrived.Count == 4000)
                        all.SetResult();
                }, null);
            }
        })));
        await all.Task;
        for (var sender = 0; sender < 4; sender++)
            Assert.Equal(Enumerable.Range(0, 1000), arrived.Where(a => a.Sender == sender).Select(a => a.Number));
        end.SetResult();
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task What_escapes_from_a_body_ends_the_process(bool dedicated)
    {
        var (scheduler, failed) = Make();
        Func<Task> body = async () =>
        {
            await Task.Yield();
            throw new InvalidOperationException("a defect");
        };
        if (dedicated)
            scheduler.StartDedicated("x", body);
        else
            scheduler.Start("x", body);
        Assert.Equal("a defect", (await failed).Message);
    }

    [Fact]
    public void Random_bytes_do_not_repeat()
    {
        var random = new CryptographicRandom();
        HashSet<Guid> seen = [];
        Span<byte> bytes = stackalloc byte[16];
        for (var i = 0; i < 10_000; i++)
        {
            random.Fill(bytes);
            Assert.True(seen.Add(new Guid(bytes)));
        }
        var large = new byte[5000];
        random.Fill(large);
        Assert.InRange(large.Distinct().Count(), 200, 256);
    }
}
