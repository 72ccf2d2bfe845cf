using OrleansStream.Platform.Runtime;

namespace OrleansStream.Platform.Tests.Runtime;

public sealed class ThreadParkTests
{
    [Fact]
    public void Wakes_before_a_wait_let_it_return_and_count_as_one()
    {
        var park = ThreadPark.Create();
        park.Wake();
        park.Wake();
        park.Wait();

        var second = new Thread(park.Wait) { IsBackground = true };
        second.Start();
        Assert.False(second.Join(TimeSpan.FromMilliseconds(50)), "the second wait returned though nobody woke it");
        park.Wake();
        second.Join();
    }

    [Fact]
    public void No_wake_is_lost_between_two_threads_that_wake_each_other()
    {
        const int Rounds = 20_000;
        var (ping, pong) = (ThreadPark.Create(), ThreadPark.Create());
        var (sent, answered) = (0, 0);
        var other = new Thread(() =>
        {
            for (var i = 1; i <= Rounds; i++)
            {
                while (Volatile.Read(ref sent) < i)
                    ping.Wait();
                Volatile.Write(ref answered, i);
                pong.Wake();
            }
        }) { IsBackground = true };
        other.Start();
        for (var i = 1; i <= Rounds; i++)
        {
            Volatile.Write(ref sent, i);
            ping.Wake();
            while (Volatile.Read(ref answered) < i)
                pong.Wait();
        }
        other.Join();
    }

    [Fact]
    public void Wakes_from_many_threads_reach_one_that_counts_their_work()
    {
        const int Senders = 4, Each = 5_000;
        var park = ThreadPark.Create();
        var work = 0;
        var threads = Enumerable.Range(0, Senders).Select(_ => new Thread(() =>
        {
            for (var i = 0; i < Each; i++)
            {
                Interlocked.Increment(ref work);
                park.Wake();
            }
        })
        { IsBackground = true }).ToList();
        threads.ForEach(static t => t.Start());
        while (Volatile.Read(ref work) < Senders * Each)
            park.Wait();
        threads.ForEach(static t => t.Join());
    }
}
