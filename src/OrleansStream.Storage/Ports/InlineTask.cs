namespace OrleansStream.Storage.Ports;

/// <summary>For tasks of a TaskCompletionSource that are not awaited directly.</summary>
public static class InlineTask
{
    /// <summary>
    /// The same task without the flag that sends its continuations to the thread pool: WhenAny, WhenAll and WaitAsync over it stay on the caller's scheduler,
    /// which the simulation needs.
    /// </summary>
    public static async Task Inline(this Task task) => await task;

    /// <inheritdoc cref="Inline(Task)"/>
    public static async Task<T> Inline<T>(this Task<T> task) => await task;
}
