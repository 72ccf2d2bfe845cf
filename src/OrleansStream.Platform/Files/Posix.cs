using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace OrleansStream.Platform.Files;

/// <summary>The system calls that .NET has no method for. Only called on Linux and (those without "Linux" in the comment) macOS.</summary>
internal static unsafe partial class Posix
{
    public const int EINTR = 4;
    public const int EIO = 5;
    public const int EEXIST = 17;
    public const int EINVAL = 22;
    public const int ENOSPC = 28;
    public static readonly int EWOULDBLOCK = OperatingSystem.IsMacOS() ? 35 : 11;
    public static readonly int EOPNOTSUPP = OperatingSystem.IsMacOS() ? 102 : 95;

    public const int ReadOnly = 0;
    public const int ReadWrite = 2;
    public static readonly int Create = OperatingSystem.IsMacOS() ? 0x200 : 0x40;
    public static readonly int Exclusive = OperatingSystem.IsMacOS() ? 0x800 : 0x80;
    public static readonly int CloseOnExec = OperatingSystem.IsMacOS() ? 0x1000000 : 0x80000;

    /// <summary>Linux. The flag differs between processors.</summary>
    public static readonly int Direct = RuntimeInformation.ProcessArchitecture is Architecture.Arm64 or Architecture.Arm ? 0x10000 : 0x4000;

    public const int LockShared = 1;
    public const int LockExclusive = 2;
    public const int LockNoWait = 4;

    public const int ProtectionReadWrite = 3;

    /// <summary>Linux: private and anonymous.</summary>
    public const int MapPrivateAnonymous = 0x22;
    public const int AdviseHugePage = 14;

    /// <summary>Linux 5.14: faults pages in for writing and leaves what they hold.</summary>
    public const int AdvisePopulateWrite = 23;

    [LibraryImport("libc", EntryPoint = "open", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int OpenFile(string path, int flags, int mode);

    [LibraryImport("libc", EntryPoint = "pwrite", SetLastError = true)]
    private static partial nint WriteAt(SafeFileHandle file, byte* buffer, nuint length, long position);

    [LibraryImport("libc", EntryPoint = "pread", SetLastError = true)]
    private static partial nint ReadAt(SafeFileHandle file, byte* buffer, nuint length, long position);

    [LibraryImport("libc", EntryPoint = "fdatasync", SetLastError = true)]
    private static partial int DataSyncFile(SafeFileHandle file);

    [LibraryImport("libc", EntryPoint = "fsync", SetLastError = true)]
    private static partial int SyncFile(SafeFileHandle file);

    [LibraryImport("libc", EntryPoint = "flock", SetLastError = true)]
    private static partial int LockFile(SafeFileHandle file, int operation);

    [LibraryImport("libc", EntryPoint = "fallocate", SetLastError = true)]
    private static partial int AllocateFile(SafeFileHandle file, int mode, long position, long length);

    [LibraryImport("libc", EntryPoint = "link", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int LinkFile(string path, string newPath);

    [LibraryImport("libc", EntryPoint = "mmap", SetLastError = true)]
    private static partial nint MapMemory(nint address, nuint length, int protection, int flags, int file, long position);

    [LibraryImport("libc", EntryPoint = "munmap", SetLastError = true)]
    public static partial int Unmap(nint address, nuint length);

    [LibraryImport("libc", EntryPoint = "madvise", SetLastError = true)]
    public static partial int Advise(nint address, nuint length, int advice);

    [LibraryImport("libc", EntryPoint = "setpriority")]
    private static partial int SetPriority(int which, int who, int niceness);

    /// <summary>Linux, where it is a thread's and not its process's: lowering is allowed to everybody, and where it fails nothing is lost.</summary>
    public static void LowerThreadPriority(int niceness) => _ = SetPriority(which: 0, who: 0, niceness);

    private const int FutexWaitPrivate = 128;
    private const int FutexWakePrivate = 129;

    // The C library has no function for it; its number differs between processors.
    private static readonly nint FutexCall = RuntimeInformation.ProcessArchitecture switch
    {
        Architecture.X64 => 202,
        Architecture.Arm64 => 98,
        _ => 0,
    };

    [LibraryImport("libc", EntryPoint = "syscall")]
    private static partial nint Futex(nint call, int* word, nint operation, nint value, nint timeout, nint word2, nint value3);

    /// <summary>Linux, where the number of the call is known.</summary>
    public static bool HasFutex => FutexCall != 0;

    /// <summary>Linux: sleeps while the word holds <paramref name="value"/>, until a wake or for no reason.</summary>
    public static void FutexWait(int* word, int value) => Futex(FutexCall, word, FutexWaitPrivate, value, 0, 0, 0);

    /// <summary>Linux: ends the sleep of one thread.</summary>
    public static void FutexWakeOne(int* word) => Futex(FutexCall, word, FutexWakePrivate, 1, 0, 0, 0);

    /// <summary>Opens a file, or answers null and leaves the reason in <paramref name="errno"/>.</summary>
    public static SafeFileHandle? TryOpen(string path, int flags, out int errno)
    {
        while (true)
        {
            var file = OpenFile(path, flags | CloseOnExec, 0x1A4);
            errno = file < 0 ? Marshal.GetLastPInvokeError() : 0;
            if (file >= 0)
                return new SafeFileHandle(file, ownsHandle: true);
            if (errno != EINTR)
                return null;
        }
    }

    public static SafeFileHandle Open(string path, int flags) => TryOpen(path, flags, out var errno) ?? throw Error("open", path, errno);

    public static void Write(SafeFileHandle file, byte* buffer, long length, long position, string path)
    {
        while (length > 0)
        {
            var written = WriteAt(file, buffer, (nuint)length, position);
            if (written < 0)
            {
                var errno = Marshal.GetLastPInvokeError();
                if (errno == EINTR)
                    continue;
                throw Error("write", path, errno);
            }
            buffer += written;
            position += written;
            length -= written;
        }
    }

    /// <summary>Reads until the buffer is full or the file ends.</summary>
    public static long Read(SafeFileHandle file, byte* buffer, long length, long position, string path)
    {
        long total = 0;
        while (total < length)
        {
            var read = ReadOnce(file, buffer + total, length - total, position + total, path);
            if (read == 0)
                break;
            total += read;
        }
        return total;
    }

    /// <summary>One read, possibly short; 0 at the end of the file.</summary>
    public static long ReadOnce(SafeFileHandle file, byte* buffer, long length, long position, string path)
    {
        while (true)
        {
            var read = ReadAt(file, buffer, (nuint)length, position);
            if (read >= 0)
                return read;
            var errno = Marshal.GetLastPInvokeError();
            if (errno != EINTR)
                throw Error("read", path, errno);
        }
    }

    public static void DataSync(SafeFileHandle file, string path)
    {
        // Never tried again: after a failed sync the kernel may count the lost pages as clean.
        if (DataSyncFile(file) != 0)
            throw Error("fdatasync", path, Marshal.GetLastPInvokeError());
    }

    public static void Sync(SafeFileHandle file, string path)
    {
        if (SyncFile(file) != 0)
            throw Error("fsync", path, Marshal.GetLastPInvokeError());
    }

    /// <summary>Waits for the lock, or with <paramref name="wait"/> false answers at once whether it was had.</summary>
    public static bool Lock(SafeFileHandle file, bool wait, string path, bool shared = false)
    {
        while (LockFile(file, (shared ? LockShared : LockExclusive) | (wait ? 0 : LockNoWait)) != 0)
        {
            var errno = Marshal.GetLastPInvokeError();
            if (errno == EWOULDBLOCK)
                return false;
            if (errno != EINTR)
                throw Error("flock", path, errno);
        }
        return true;
    }

    /// <summary>Linux. Reserves blocks; false where the file system cannot.</summary>
    public static bool TryAllocate(SafeFileHandle file, long length, string path)
    {
        while (AllocateFile(file, 0, 0, length) != 0)
        {
            var errno = Marshal.GetLastPInvokeError();
            if (errno == EOPNOTSUPP)
                return false;
            if (errno != EINTR)
                throw Error("fallocate", path, errno);
        }
        return true;
    }

    /// <summary>Gives a file a second name; false where that name is taken.</summary>
    public static bool TryLink(string path, string newPath)
    {
        if (LinkFile(path, newPath) == 0)
            return true;
        var errno = Marshal.GetLastPInvokeError();
        return errno == EEXIST ? false : throw Error("link", newPath, errno);
    }

    public static nint Map(nuint length)
    {
        var address = MapMemory(0, length, ProtectionReadWrite, MapPrivateAnonymous, -1, 0);
        return address == -1 ? throw new InsufficientMemoryException($"mmap of {length} bytes failed with errno {Marshal.GetLastPInvokeError()}") : address;
    }

    public static IOException Error(string call, string path, int errno) =>
        new($"{call} of '{path}' failed: {Marshal.GetPInvokeErrorMessage(errno)}", errno);
}
