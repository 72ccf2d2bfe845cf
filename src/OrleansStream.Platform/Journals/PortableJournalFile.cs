using Microsoft.Win32.SafeHandles;
using OrleansStream.Storage.Ports;

namespace OrleansStream.Platform.Journals;

/// <summary>A journal file by what .NET has on every system: buffered vectored writes and a flush to disk.</summary>
internal sealed class PortableJournalFile(SafeFileHandle file, string name, long length) : IJournalFile
{
    public string Name { get; } = name;
    public long Length { get; } = length;

    public static IJournalFile Open(string path, string name, long? createLength)
    {
        var file = File.OpenHandle(
            path, createLength is null ? FileMode.Open : FileMode.CreateNew, FileAccess.ReadWrite, FileShare.Read, FileOptions.None, createLength ?? 0);
        if (createLength is { } length)
        {
            RandomAccess.SetLength(file, length);
            RandomAccess.FlushToDisk(file);
        }
        return new PortableJournalFile(file, name, RandomAccess.GetLength(file));
    }

    public ValueTask WriteAsync(long position, IReadOnlyList<ReadOnlyMemory<byte>> parts, CancellationToken cancel)
    {
        cancel.ThrowIfCancellationRequested();
        RandomAccess.Write(file, parts, position);
        RandomAccess.FlushToDisk(file);
        return ValueTask.CompletedTask;
    }

    public ValueTask<int> ReadAsync(long position, Memory<byte> destination, CancellationToken cancel)
    {
        cancel.ThrowIfCancellationRequested();
        var total = 0;
        while (total < destination.Length)
        {
            var read = RandomAccess.Read(file, destination.Span[total..], position + total);
            if (read == 0)
                break;
            total += read;
        }
        return ValueTask.FromResult(total);
    }

    public ValueTask ZeroAsync(CancellationToken cancel) => new(Task.Run(() => Zero(cancel), cancel));

    public ValueTask DisposeAsync()
    {
        file.Dispose();
        return ValueTask.CompletedTask;
    }

    private void Zero(CancellationToken cancel)
    {
        var zeros = new byte[1 << 20];
        for (long at = 0; at < Length; at += zeros.Length)
        {
            cancel.ThrowIfCancellationRequested();
            RandomAccess.Write(file, zeros.AsSpan(0, (int)Math.Min(zeros.Length, Length - at)), at);
            RandomAccess.FlushToDisk(file);
        }
    }
}
