using System.Runtime.InteropServices;
using OrleansStream.Platform.Files;

namespace OrleansStream.Platform.Runtime;

/// <summary>
/// Where one thread waits until another wakes it. On Linux a futex of its own: Monitor and AutoResetEvent wake while they hold a mutex that the woken
/// thread needs first, which on a busy machine costs two more switches for each wake.
/// </summary>
internal abstract class ThreadPark
{
    public static ThreadPark Create() => OperatingSystem.IsLinux() && Posix.HasFutex ? new FutexPark() : new EventPark();

    /// <summary>Returns once <see cref="Wake"/> was called, be it before. For one thread.</summary>
    public abstract void Wait();

    /// <summary>Lets the present or the next <see cref="Wait"/> return; several calls before it count as one.</summary>
    public abstract void Wake();

    private sealed unsafe class FutexPark : ThreadPark
    {
        private const int Empty = 0;
        private const int Woken = 1;
        private const int Parked = -1;

        // Pinned, since the kernel knows it by its address; a cache line that nothing else shares.
        private readonly int[] _word = GC.AllocateArray<int>(16, pinned: true);

        public override void Wait()
        {
            ref int state = ref _word[0];
            if (Interlocked.Decrement(ref state) == Empty)
                return;
            do
            {
                // Returns at once where the word has changed already, and now and then for no reason.
                Posix.FutexWait((int*)Marshal.UnsafeAddrOfPinnedArrayElement(_word, 0), Parked);
            }
            while (Interlocked.CompareExchange(ref state, Empty, Woken) != Woken);
        }

        public override void Wake()
        {
            if (Interlocked.Exchange(ref _word[0], Woken) == Parked)
                Posix.FutexWakeOne((int*)Marshal.UnsafeAddrOfPinnedArrayElement(_word, 0));
        }
    }

    private sealed class EventPark : ThreadPark
    {
        private readonly AutoResetEvent _event = new(initialState: false);

        public override void Wait() => _event.WaitOne();

        public override void Wake() => _event.Set();
    }
}
