namespace OrleansStream.Hosting.Listening;

/// <summary>On which threads what arrives at sockets is served.</summary>
internal static class SocketThreads
{
    /// <summary>.NET reads it once, before the first asynchronous call on a socket; it has no other place for it.</summary>
    private const string InlineCompletions = "DOTNET_SYSTEM_NET_SOCKETS_INLINE_COMPLETIONS";

    /// <summary>
    /// The threads that wait for sockets, one for each core, go on with what has arrived, instead of waking one of the pool: a request of 1 KiB costs less
    /// than the wake. And a pool thread that finds others requested yields its core first, which on a busy machine takes it a scheduler's tick of 4 ms
    /// (docs/performance.md). What takes longer leaves these threads by itself: see KafkaConnection. A value that the user has set stays.
    /// </summary>
    public static void ServeWhereReceived()
    {
        if (Environment.GetEnvironmentVariable(InlineCompletions) is null)
            Environment.SetEnvironmentVariable(InlineCompletions, "1");
    }
}
