using System.Buffers;
using Microsoft.Win32.SafeHandles;

namespace OrleansStream.Platform.Files;

/// <summary>
/// Writes whole files and reads ranges of them. Large ones go past the page cache on Linux: on a virtual machine fresh page cache is the dearest part
/// of a first write (docs/architecture.md), and what is sealed is read back through a cache of our own.
/// </summary>
internal sealed unsafe class FileContent(bool direct) : IDisposable
{
    /// <summary>From here on direct I/O pays.</summary>
    private const int DirectBytes = 256 << 10;

    /// <summary>
    /// What is handed to the disk at once, because a journal's commit on the same disk waits for it: 0.3 to 0.4 ms at the median, where beside writes of
    /// a whole staging buffer it was 2.3 to 2.6 (docs/performance.md).
    /// </summary>
    private const int SliceBytes = 512 << 10;

    private readonly StagingBuffers _staging = new(4 << 20, kept: 2);
    private readonly bool _direct = direct && OperatingSystem.IsLinux();

    /// <summary>Creates a file with this content, durable but for its directory entry.</summary>
    public void Write(string path, ReadOnlySequence<byte> content)
    {
        if (_direct && content.Length >= DirectBytes && TryWriteDirect(path, content))
            return;
        using var file = File.OpenHandle(path, FileMode.Create, FileAccess.Write, FileShare.None);
        long at = 0;
        foreach (var memory in content)
        {
            RandomAccess.Write(file, memory.Span, at);
            at += memory.Length;
        }
        if (OperatingSystem.IsLinux())
            Posix.Sync(file, path);
        else
            RandomAccess.FlushToDisk(file);
    }

    /// <summary>Fills the destination or reads to the file's end. Throws <see cref="FileNotFoundException"/> or <see cref="DirectoryNotFoundException"/>.</summary>
    public int Read(string path, long position, Span<byte> destination)
    {
        if (!_direct || destination.Length < DirectBytes)
            return ReadBuffered(path, position, destination);
        fixed (byte* buffer = destination)
        {
            var whole = destination.Length & ~(StagingBuffers.Alignment - 1);
            if ((nint)buffer % StagingBuffers.Alignment != 0 || position % StagingBuffers.Alignment != 0)
                return ReadBuffered(path, position, destination);
            int read;
            using (var file = Posix.TryOpen(path, Posix.ReadOnly | Posix.Direct, out _))
            {
                if (file is null)
                    return ReadBuffered(path, position, destination);
                read = ReadDirect(file, buffer, whole, position, path);
            }
            return read < whole || whole == destination.Length ? read : read + ReadBuffered(path, position + read, destination[read..]);
        }
    }

    public void Dispose() => _staging.Dispose();

    private static int ReadDirect(SafeFileHandle file, byte* buffer, int length, long position, string path)
    {
        var total = 0;
        while (total < length)
        {
            var read = (int)Posix.ReadOnce(file, buffer + total, length - total, position + total, path);
            total += read;
            // Short only at the end of the file; the next position would not be aligned.
            if (read == 0 || read % StagingBuffers.Alignment != 0)
                break;
        }
        return total;
    }

    private static int ReadBuffered(string path, long position, Span<byte> destination)
    {
        using var file = File.OpenHandle(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
        var total = 0;
        while (total < destination.Length)
        {
            var read = RandomAccess.Read(file, destination[total..], position + total);
            if (read == 0)
                break;
            total += read;
        }
        return total;
    }

    private bool TryWriteDirect(string path, ReadOnlySequence<byte> content)
    {
        using var file = Posix.TryOpen(path, Posix.ReadWrite | Posix.Create | Posix.Direct, out var errno);
        if (file is null)
            return errno == Posix.EINVAL ? false : throw Posix.Error("open", path, errno);
        var buffer = _staging.Rent();
        try
        {
            long position = 0;
            var used = 0;
            foreach (var memory in content)
            {
                var rest = memory.Span;
                while (!rest.IsEmpty)
                {
                    var taken = Math.Min(rest.Length, _staging.Bytes - used);
                    rest[..taken].CopyTo(new Span<byte>(buffer + used, taken));
                    rest = rest[taken..];
                    used += taken;
                    if (used < _staging.Bytes)
                        continue;
                    WriteSlices(file, buffer, used, position, path);
                    position += used;
                    used = 0;
                }
            }
            if (used > 0)
            {
                var padded = (used + StagingBuffers.Alignment - 1) & ~(StagingBuffers.Alignment - 1);
                new Span<byte>(buffer + used, padded - used).Clear();
                WriteSlices(file, buffer, padded, position, path);
                RandomAccess.SetLength(file, content.Length);
            }
        }
        finally
        {
            _staging.Return(buffer);
        }
        Posix.Sync(file, path);
        return true;
    }

    private static void WriteSlices(SafeFileHandle file, byte* buffer, int length, long position, string path)
    {
        for (var at = 0; at < length; at += SliceBytes)
            Posix.Write(file, buffer + at, Math.Min(SliceBytes, length - at), position + at, path);
    }
}
