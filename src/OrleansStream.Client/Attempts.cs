namespace OrleansStream.Client;

/// <summary>Makes a call until it succeeds, fails for good, or its time is up.</summary>
internal sealed class Attempts(OrleansStreamClientOptions options, TimeProvider time)
{
    /// <summary>
    /// The answer, whose error is none. <paramref name="call"/> is begun anew for each attempt. Throws <see cref="OrleansStreamException"/>, and what a call
    /// throws that is neither Orleans' nor a time-out.
    /// </summary>
    /// <param name="before">Runs before each attempt, and not in its time: it is as patient as it likes, and what it throws is the end.</param>
    public async Task<T> UntilDoneAsync<T>(
        Func<Task<T>> call, Func<T, (ErrorCode Error, string? Message)> outcome, CancellationToken cancel, Func<Task>? before = null)
    {
        long start = time.GetTimestamp();
        TimeSpan pause = options.RetryBackoff;
        while (true)
        {
            ErrorCode error;
            string? message;
            Exception? cause = null;
            if (before is not null)
                await before();
            try
            {
                T answer = await call().WaitAsync(options.RequestTimeout, time, cancel);
                (error, message) = outcome(answer);
                if (error == ErrorCode.None)
                    return answer;
            }
            catch (Exception e) when (!cancel.IsCancellationRequested && e is OrleansException or TimeoutException or OperationCanceledException)
            {
                // A silo died or is not reached, an activation moved while it worked for us: whether the call happened is unknown.
                (error, message, cause) = (e is TimeoutException ? ErrorCode.RequestTimedOut : ErrorCode.NetworkException, e.Message, e);
            }
            if (!error.IsRetriable() || time.GetElapsedTime(start) + pause > options.DeliveryTimeout)
                throw new OrleansStreamException(error, message, cause);
            await Task.Delay(pause, time, cancel);
            pause = 2 * pause < options.RetryBackoffMax ? 2 * pause : options.RetryBackoffMax;
        }
    }
}
