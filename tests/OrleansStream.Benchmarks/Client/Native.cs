using System.Runtime.InteropServices;

namespace OrleansStream.Benchmarks.Client;

/// <summary>What .NET has no call for: a sleep to the microsecond, signals.</summary>
internal static partial class Native
{
    private const int ClockMonotonic = 1;
    private const int AbsoluteTime = 1;
    private const int SetTimerSlack = 29;

    public const int SigKill = 9;
    public const int SigTerm = 15;

    /// <summary>Lets this thread's sleeps end within a microsecond or so instead of fifty.</summary>
    public static void SharpenTimer() => Prctl(SetTimerSlack, 1, 0, 0, 0);

    /// <summary>Sleeps until <paramref name="timestamp"/> of the clock that Stopwatch reads, in nanoseconds.</summary>
    public static void SleepUntil(long timestamp)
    {
        var until = new TimeSpec { Seconds = timestamp / 1_000_000_000, Nanoseconds = timestamp % 1_000_000_000 };
        while (ClockNanoSleep(ClockMonotonic, AbsoluteTime, until, 0) != 0)
        {
        }
    }

    public static void Signal(int pid, int signal) => _ = Kill(pid, signal);

    /// <summary>Writes all dirty pages, so that one measurement does not pay for the writes of another.</summary>
    public static void SyncDisks() => Sync();

    [StructLayout(LayoutKind.Sequential)]
    private struct TimeSpec
    {
        public long Seconds;
        public long Nanoseconds;
    }

    [LibraryImport("libc", EntryPoint = "clock_nanosleep")]
    private static partial int ClockNanoSleep(int clock, int flags, in TimeSpec until, nint remaining);

    [LibraryImport("libc", EntryPoint = "prctl")]
    private static partial int Prctl(int option, nuint a, nuint b, nuint c, nuint d);

    [LibraryImport("libc", EntryPoint = "sync")]
    private static partial void Sync();

    [LibraryImport("libc", EntryPoint = "kill")]
    private static partial int Kill(int pid, int signal);
}
