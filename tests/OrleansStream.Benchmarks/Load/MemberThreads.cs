namespace OrleansStream.Benchmarks.Load;

/// <summary>Members of groups wait for answers on blocking sockets, so those that must wait at once have a thread each.</summary>
internal static class MemberThreads
{
    // Hundreds of them do nothing but wait.
    private const int StackBytes = 256 << 10;

    /// <summary>Runs an action for each number below <paramref name="count"/> at once, and fails with the first failure when all have ended.</summary>
    public static void Run(int count, Action<int> run)
    {
        Exception? failure = null;
        Thread[] threads = [.. Enumerable.Range(0, count).Select(i => new Thread(() =>
        {
            try
            {
                run(i);
            }
            catch (Exception e)
            {
                failure ??= e;
            }
        }, StackBytes) { IsBackground = true })];
        foreach (Thread thread in threads)
            thread.Start();
        foreach (Thread thread in threads)
            thread.Join();
        if (failure is not null)
            throw new InvalidOperationException("A member failed: " + failure.Message, failure);
    }
}
