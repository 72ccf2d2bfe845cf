using Orleans.Runtime;

namespace OrleansStream.Client.Tests;

public sealed class AttemptsTests
{
    private static readonly OrleansStreamClientOptions Patient = new() { RetryBackoff = TimeSpan.FromMilliseconds(1) };
    private static readonly OrleansStreamClientOptions Impatient = new() { RetryBackoff = TimeSpan.FromSeconds(1), DeliveryTimeout = TimeSpan.Zero };

    private int _calls;

    [Fact]
    public async Task What_may_succeed_later_is_tried_again()
    {
        Queue<Func<Task<ErrorCode>>> answers = new(
        [
            static () => Task.FromResult(ErrorCode.NotLeaderOrFollower),
            static () => throw new SiloUnavailableException(),
            static () => Task.FromCanceled<ErrorCode>(new CancellationToken(true)),
            static () => throw new TimeoutException(),
            static () => Task.FromResult(ErrorCode.None),
        ]);
        Assert.Equal(ErrorCode.None, await RunAsync(Patient, () => answers.Dequeue()()));
        Assert.Equal(5, _calls);
    }

    [Fact]
    public async Task What_will_not_is_thrown_at_once()
    {
        OrleansStreamException e = await Assert.ThrowsAsync<OrleansStreamException>(() => RunAsync(Patient, static () => Task.FromResult(ErrorCode.MessageTooLarge)));
        Assert.Equal((ErrorCode.MessageTooLarge, false, 1), (e.ErrorCode, e.IsRetriable, _calls));
        Assert.Contains("a reason", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_defect_is_not_tried_again()
    {
        await Assert.ThrowsAsync<InvalidOperationException>(() => RunAsync(Patient, static () => throw new InvalidOperationException()));
        Assert.Equal(1, _calls);
    }

    [Fact]
    public async Task The_last_error_is_thrown_when_the_time_is_up()
    {
        OrleansStreamException e = await Assert.ThrowsAsync<OrleansStreamException>(() => RunAsync(Impatient, static () => throw new SiloUnavailableException("gone")));
        Assert.Equal((ErrorCode.NetworkException, true, 1), (e.ErrorCode, e.IsRetriable, _calls));
        Assert.IsType<SiloUnavailableException>(e.InnerException);
    }

    [Fact]
    public async Task Cancelling_ends_it()
    {
        using var cancel = new CancellationTokenSource();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => RunAsync(Patient, () =>
        {
            cancel.Cancel();
            return Task.FromResult(ErrorCode.NotLeaderOrFollower);
        }, cancel.Token));
        Assert.Equal(1, _calls);
    }

    private Task<ErrorCode> RunAsync(OrleansStreamClientOptions options, Func<Task<ErrorCode>> call, CancellationToken cancel = default) =>
        new Attempts(options, TimeProvider.System).UntilDoneAsync(
            () =>
            {
                _calls++;
                return call();
            },
            static e => (e, "a reason"), cancel);
}
