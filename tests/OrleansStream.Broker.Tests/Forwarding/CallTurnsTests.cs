using OrleansStream.Broker.Forwarding;
using OrleansStream.TestSupport;

namespace OrleansStream.Broker.Tests.Forwarding;

/// <summary>Calls that overtake each other begin in the order in which they were sent.</summary>
public sealed class CallTurnsTests
{
    private static readonly Guid Sender = new(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11);
    private readonly TestPorts _ports = new();
    private readonly CallTurns _turns;

    public CallTurnsTests() => _turns = new CallTurns(_ports.Runtime);

    private static CallOrder Number(long number, long generation = 1) => new(Sender, generation, number);

    private Task<bool> Enter(long number, long generation = 1) => _turns.EnterAsync(Number(number, generation)).AsTask();

    [Theory]
    [InlineData(1), InlineData(2), InlineData(3)]
    public async Task Whatever_the_order_of_arrival(int seed)
    {
        var random = new Random(seed);
        List<long> begun = [];
        long[] arrivals = [.. Enumerable.Range(0, 200).Select(static n => (long)n)];
        random.Shuffle(arrivals);
        await Task.WhenAll(arrivals.Select(async number =>
        {
            Assert.True(await Enter(number));
            // Nobody else is in between.
            begun.Add(number);
            await Task.Yield();
            _turns.Leave(Number(number));
        }));
        Assert.Equal(arrivals.Order(), begun);
    }

    [Fact]
    public async Task Behind_a_call_that_does_not_come_all_are_refused_after_a_while()
    {
        Assert.True(await Enter(0));
        _turns.Leave(Number(0));
        var second = Enter(2);
        var third = Enter(3);
        while (!second.IsCompleted)
        {
            _ports.Time.Advance(TimeSpan.FromSeconds(1));
            await Task.Delay(1);
        }
        Assert.False(await second);
        Assert.False(await third);
        Assert.False(await Enter(1));
        Assert.False(await Enter(4));
        Assert.True(await Enter(0, generation: 2));
    }

    [Fact]
    public async Task A_call_that_takes_its_time_is_no_gap()
    {
        Assert.True(await Enter(0));
        var next = Enter(1);
        for (var i = 0; i < 10; i++)
        {
            _ports.Time.Advance(TimeSpan.FromSeconds(5));
            await Task.Delay(1);
        }
        Assert.False(next.IsCompleted);
        _turns.Leave(Number(0));
        Assert.True(await next);
    }

    [Fact]
    public async Task A_new_generation_begins_after_what_is_still_at_it()
    {
        Assert.True(await Enter(0));
        var waiting = Enter(1);
        var next = Enter(0, generation: 2);
        Assert.False(await waiting);
        Assert.False(next.IsCompleted);
        _turns.Leave(Number(0));
        Assert.True(await next);
        Assert.False(await Enter(2));
    }

    [Fact]
    public async Task A_sender_begins_no_call_behind_a_lost_one_until_all_have_ended()
    {
        var calls = new CallSequence(Sender);
        lock (calls.Sync)
        {
            Assert.True(calls.TryBegin(out var first));
            Assert.True(calls.TryBegin(out var second));
            Assert.Equal((first.Generation, 0, 1), (second.Generation, first.Number, second.Number));
        }
        calls.End(lost: true);
        var open = calls.OpenAsync();
        lock (calls.Sync)
            Assert.False(calls.TryBegin(out _));
        Assert.False(open.IsCompleted);
        calls.End(lost: false);
        await open;
        lock (calls.Sync)
        {
            Assert.True(calls.TryBegin(out var again));
            Assert.Equal((2, 0), (again.Generation, again.Number));
        }
    }
}
