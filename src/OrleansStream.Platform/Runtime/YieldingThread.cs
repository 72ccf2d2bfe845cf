using OrleansStream.Platform.Files;

namespace OrleansStream.Platform.Runtime;

/// <summary>
/// Threads that give way to those which serve clients. The kernel lets a thread that has just been woken wait for up to a tick (4 ms at 250 Hz) behind
/// one of its own weight; a lighter one it interrupts at once.
/// </summary>
internal static class YieldingThread
{
    // A third of the weight of a thread at 0, for each processor that both want: sealing must not starve while clients keep all of them busy.
    private const int Niceness = 5;

    public static void Start(string name, Action body) => new Thread(() =>
    {
        GiveWay();
        body();
    })
    {
        Name = name,
        IsBackground = true,
    }.UnsafeStart();

    /// <summary>Makes the calling thread yielding, for good: only a privileged process could take it back. .NET's thread priorities do nothing on Linux.</summary>
    public static void GiveWay()
    {
        if (OperatingSystem.IsLinux())
            Posix.LowerThreadPriority(Niceness);
    }
}
