using OrleansStream.Platform.Runtime;
using OrleansStream.Storage.Ports;

namespace OrleansStream.Platform.Tests.Runtime;

public sealed class AnswerThreadTests
{
    [Fact]
    public async Task Waits_of_many_callers_end_apart_from_them_each_callers_own_in_order()
    {
        const int Callers = 4, Each = 20_000;
        var answers = AnswerThread.ForThisMachine()[0];
        var ended = new List<(int Caller, int Number)>();
        var threads = new HashSet<int>();
        var all = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var callers = Enumerable.Range(0, Callers).Select(caller => Task.Run(() =>
        {
            for (var i = 0; i < Each; i++)
            {
                var number = i;
                answers.Add(new Wait(() =>
                {
                    // No lock: one thread ends them all.
                    threads.Add(Environment.CurrentManagedThreadId);
                    ended.Add((caller, number));
                    if (ended.Count == Callers * Each)
                        all.SetResult();
                }));
            }
            return Environment.CurrentManagedThreadId;
        })).ToArray();
        var callersThreads = await Task.WhenAll(callers);
        await all.Task.WaitAsync(TimeSpan.FromMinutes(1));
        Assert.DoesNotContain(Assert.Single(threads), callersThreads);
        foreach (var own in ended.GroupBy(static wait => wait.Caller))
            Assert.Equal(Enumerable.Range(0, Each), own.Select(static wait => wait.Number));
    }

    [Fact]
    public async Task A_wait_that_one_ends_may_begin_another()
    {
        var answers = AnswerThread.ForThisMachine()[0];
        var second = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        answers.Add(new Wait(() => answers.Add(new Wait(second.SetResult))));
        await second.Task.WaitAsync(TimeSpan.FromMinutes(1));
    }

    private sealed class Wait(Action end) : IClientWait
    {
        public void End() => end();
    }
}
