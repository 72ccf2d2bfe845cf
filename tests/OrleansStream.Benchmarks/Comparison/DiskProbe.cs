using System.Diagnostics;
using System.Globalization;
using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace OrleansStream.Benchmarks.Comparison;

/// <summary>
/// What the disk itself does, with nothing else at work: writes over a file's own blocks and one sync, and reads, both past the page cache. No broker that syncs before
/// it answers produces faster, and none consumes faster what memory does not hold.
/// </summary>
internal static unsafe partial class DiskProbe
{
    private const int PieceBytes = 4 << 20;
    private const int Pieces = 128;
    private const nuint Alignment = 4096;

    // open(2) on Linux for x64 and arm64, where O_DIRECT differs.
    private const int ReadWrite = 2;
    private const int Create = 0x40;
    private static readonly int s_direct = RuntimeInformation.ProcessArchitecture == Architecture.Arm64 ? 0x10000 : 0x4000;

    /// <summary>MB/s.</summary>
    public readonly record struct Speed(double Write, double Read);

    public static Speed Run(string folder)
    {
        Directory.CreateDirectory(folder);
        string path = Path.Combine(folder, "disk-probe");
        byte* piece = (byte*)NativeMemory.AlignedAlloc(PieceBytes, Alignment);
        try
        {
            new Span<byte>(piece, PieceBytes).Fill(0x5a);
            using var file = new SafeFileHandle(Open(path, ReadWrite | Create | s_direct, 0x180), ownsHandle: true);
            if (file.IsInvalid)
                throw new IOException($"'{path}' cannot be opened past the page cache: error {Marshal.GetLastPInvokeError()}");
            // The first time takes blocks from the file system, which a journal of recycled files does not.
            Write(file, piece);
            return new Speed(Measure(() => Write(file, piece)), Measure(() => Read(file, piece)));
        }
        finally
        {
            NativeMemory.AlignedFree(piece);
            File.Delete(path);
        }
    }

    /// <summary>A line for the report.</summary>
    public static string Describe(IReadOnlyList<Speed> speeds) => string.Create(CultureInfo.InvariantCulture,
        $"The disk alone, past the page cache: writes {Range(speeds.Select(static s => s.Write))} MB/s, reads {Range(speeds.Select(static s => s.Read))} MB/s.");

    private static string Range(IEnumerable<double> values) => string.Create(CultureInfo.InvariantCulture, $"{values.Min():0} to {values.Max():0}");

    private static double Measure(Action work)
    {
        long start = Stopwatch.GetTimestamp();
        work();
        return Pieces * (double)PieceBytes / 1e6 / Stopwatch.GetElapsedTime(start).TotalSeconds;
    }

    private static void Write(SafeFileHandle file, byte* piece)
    {
        for (long i = 0; i < Pieces; i++)
            RandomAccess.Write(file, new ReadOnlySpan<byte>(piece, PieceBytes), i * PieceBytes);
        RandomAccess.FlushToDisk(file);
    }

    private static void Read(SafeFileHandle file, byte* piece)
    {
        for (long i = 0; i < Pieces; i++)
        {
            if (RandomAccess.Read(file, new Span<byte>(piece, PieceBytes), i * PieceBytes) != PieceBytes)
                throw new IOException("the probe's file is shorter than what was written");
        }
    }

    [LibraryImport("libc", EntryPoint = "open", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int Open(string path, int flags, int mode);
}
