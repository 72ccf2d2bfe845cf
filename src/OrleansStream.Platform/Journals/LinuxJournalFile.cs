using Microsoft.Win32.SafeHandles;
using OrleansStream.Platform.Files;
using OrleansStream.Platform.Runtime;
using OrleansStream.Storage.Ports;

namespace OrleansStream.Platform.Journals;

/// <summary>
/// A journal file by Linux system calls. Direct: each write goes through an aligned staging copy (19 GB/s, nothing beside the disk) past the page cache,
/// so its cost does not depend on what else the machine caches; a data sync follows, since direct alone says nothing of the disk's own cache.
/// </summary>
internal sealed unsafe class LinuxJournalFile : IJournalFile
{
    private const int ZeroSliceBytes = 512 << 10;

    private readonly SafeFileHandle _file;
    private readonly string _path;
    private readonly bool _direct;
    private readonly StagingBuffers _staging;

    private LinuxJournalFile(SafeFileHandle file, string path, string name, long length, bool direct, StagingBuffers staging)
    {
        _file = file;
        _path = path;
        _direct = direct;
        _staging = staging;
        Name = name;
        Length = length;
    }

    public string Name { get; }
    public long Length { get; }

    /// <summary>Whether this file system took direct I/O.</summary>
    public bool Direct => _direct;

    public static IJournalFile Open(string path, string name, long? createLength, bool direct, StagingBuffers staging)
    {
        var flags = Posix.ReadWrite | (createLength is null ? 0 : Posix.Create | Posix.Exclusive);
        var file = Posix.TryOpen(path, flags | (direct ? Posix.Direct : 0), out var errno);
        if (file is null && direct && errno == Posix.EINVAL)
        {
            // The file may exist now: open creates before it refuses the flag.
            direct = false;
            file = Posix.TryOpen(path, Posix.ReadWrite | (createLength is null ? 0 : Posix.Create), out errno);
        }
        if (file is null)
            throw Posix.Error("open", path, errno);
        try
        {
            if (createLength is { } length)
            {
                if (!Posix.TryAllocate(file, length, path))
                    RandomAccess.SetLength(file, length);
                Posix.Sync(file, path);
            }
            return new LinuxJournalFile(file, path, name, RandomAccess.GetLength(file), direct, staging);
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    public ValueTask WriteAsync(long position, IReadOnlyList<ReadOnlyMemory<byte>> parts, CancellationToken cancel)
    {
        cancel.ThrowIfCancellationRequested();
        long total = 0;
        for (var i = 0; i < parts.Count; i++)
            total += parts[i].Length;
        CheckAligned(position, total);
        if (position + total > Length)
            throw new ArgumentOutOfRangeException(nameof(position), $"bytes {position} to {position + total} do not lie in '{Name}' of {Length}");
        if (_direct)
            WriteStaged(position, parts);
        else
            RandomAccess.Write(_file, parts, position);
        Posix.DataSync(_file, _path);
        return ValueTask.CompletedTask;
    }

    public ValueTask<int> ReadAsync(long position, Memory<byte> destination, CancellationToken cancel)
    {
        cancel.ThrowIfCancellationRequested();
        CheckAligned(position, destination.Length);
        return ValueTask.FromResult(_direct ? ReadStaged(position, destination.Span) : ReadBuffered(position, destination.Span));
    }

    /// <summary>Takes about two seconds for a GiB; slices let other writes in between.</summary>
    public ValueTask ZeroAsync(CancellationToken cancel)
    {
        cancel.ThrowIfCancellationRequested();
        var zeroed = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        YieldingThread.Start("zero journal file", () =>
        {
            try
            {
                Zero(cancel);
                zeroed.SetResult();
            }
            catch (OperationCanceledException e)
            {
                zeroed.SetCanceled(e.CancellationToken);
            }
#pragma warning disable CA1031 // Handed to the caller as it is.
            catch (Exception e)
#pragma warning restore CA1031
            {
                zeroed.SetException(e);
            }
        });
        return new ValueTask(zeroed.Task);
    }

    public ValueTask DisposeAsync()
    {
        _file.Dispose();
        return ValueTask.CompletedTask;
    }

    private void WriteStaged(long position, IReadOnlyList<ReadOnlyMemory<byte>> parts)
    {
        var buffer = _staging.Rent();
        try
        {
            var used = 0;
            for (var i = 0; i < parts.Count; i++)
            {
                var rest = parts[i].Span;
                while (!rest.IsEmpty)
                {
                    var taken = Math.Min(rest.Length, _staging.Bytes - used);
                    rest[..taken].CopyTo(new Span<byte>(buffer + used, taken));
                    rest = rest[taken..];
                    used += taken;
                    if (used < _staging.Bytes)
                        continue;
                    Posix.Write(_file, buffer, used, position, _path);
                    position += used;
                    used = 0;
                }
            }
            Posix.Write(_file, buffer, used, position, _path);
        }
        finally
        {
            _staging.Return(buffer);
        }
    }

    private int ReadStaged(long position, Span<byte> destination)
    {
        var buffer = _staging.Rent();
        try
        {
            var total = 0;
            while (total < destination.Length)
            {
                var wanted = Math.Min(destination.Length - total, _staging.Bytes);
                var read = (int)Posix.Read(_file, buffer, wanted, position + total, _path);
                new ReadOnlySpan<byte>(buffer, read).CopyTo(destination[total..]);
                total += read;
                if (read < wanted)
                    break;
            }
            return total;
        }
        finally
        {
            _staging.Return(buffer);
        }
    }

    private int ReadBuffered(long position, Span<byte> destination)
    {
        fixed (byte* buffer = destination)
            return (int)Posix.Read(_file, buffer, destination.Length, position, _path);
    }

    private void Zero(CancellationToken cancel)
    {
        var buffer = _staging.Rent();
        try
        {
            new Span<byte>(buffer, ZeroSliceBytes).Clear();
            for (long at = 0; at < Length; at += ZeroSliceBytes)
            {
                cancel.ThrowIfCancellationRequested();
                Posix.Write(_file, buffer, Math.Min(ZeroSliceBytes, Length - at), at, _path);
                // Buffered zeros would pile up and make the next commit's sync wait for them.
                if (!_direct && at % (32 * ZeroSliceBytes) == 0)
                    Posix.DataSync(_file, _path);
            }
            Posix.DataSync(_file, _path);
        }
        finally
        {
            _staging.Return(buffer);
        }
    }

    private static void CheckAligned(long position, long length)
    {
        if (position < 0 || position % StagingBuffers.Alignment != 0 || length % StagingBuffers.Alignment != 0)
            throw new ArgumentException($"position {position} and length {length} must be multiples of {StagingBuffers.Alignment}");
    }
}
