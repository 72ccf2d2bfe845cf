using OrleansStream.Storage.Ports;

namespace OrleansStream.Storage.Journals.Disk;

/// <summary>
/// Reads one ring file from its start, in large aligned reads, the next one under way while a block is looked at. Blocks are asked for in ascending
/// order; what is answered is valid until the next call.
/// </summary>
internal sealed class BlockReader(IJournalFile file, IScheduler scheduler, int chunk = BlockReader.DefaultChunk)
{
    public const int DefaultChunk = 4 << 20;

    // A block that straddles two reads is joined by copying its beginning in front of the second.
    private readonly byte[][] _buffers = [GC.AllocateUninitializedArray<byte>(2 * chunk), GC.AllocateUninitializedArray<byte>(2 * chunk)];
    private int _current;
    private Memory<byte> _window;
    private long _start;
    private Task<int>? _ahead;

    public long Length => file.Length;

    private long End => _start + _window.Length;

    /// <summary>The header at an aligned position, if one stands there whose own checksum is right.</summary>
    public async ValueTask<BlockHeader?> HeaderAsync(long position)
    {
        var bytes = await GetAsync(position, DiskJournal.Alignment);
        return BlockHeader.TryRead(bytes.Span, out var header) && header.Kind == BlockKind.DiskBlock
            && PaddedLength(header) is var length && length > 0 && length <= file.Length - position ? header : null;
    }

    /// <summary>The whole block behind a header, with its padding.</summary>
    public ValueTask<ReadOnlyMemory<byte>> BlockAsync(long position, BlockHeader header) => GetAsync(position, PaddedLength(header));

    public static long PaddedLength(BlockHeader header) =>
        header.EntriesLength > int.MaxValue - 2 * DiskJournal.Alignment
            ? -1
            : (BlockHeader.Size + header.EntriesLength + DiskJournal.Alignment - 1) / DiskJournal.Alignment * DiskJournal.Alignment;

    private async ValueTask<ReadOnlyMemory<byte>> GetAsync(long position, long length)
    {
        length = Math.Min(length, file.Length - position);
        while (position + length > End && End < file.Length)
        {
            await ExtendAsync(position, length);
        }

        var from = (int)(position - _start);
        return _window.Slice(from, (int)Math.Min(length, _window.Length - from));
    }

    private async ValueTask ExtendAsync(long position, long length)
    {
        var read = await (_ahead ?? ReadAsync(_current ^ 1, End));
        _ahead = null;
        if (read == 0)
        {
            throw new JournalCorruptException($"'{file.Name}' ends at {End}, before its length of {file.Length}");
        }

        var rest = _window[(int)Math.Min(_window.Length, position - _start)..];
        var start = End - rest.Length;
        var next = _buffers[_current ^ 1];
        if (rest.Length <= chunk)
        {
            rest.CopyTo(next.AsMemory(chunk - rest.Length));
            _window = next.AsMemory(chunk - rest.Length, rest.Length + read);
            _current ^= 1;
        }
        else
        {
            // A block larger than a read: joined in a buffer of its own.
            var large = GC.AllocateUninitializedArray<byte>((int)Math.Max(length, rest.Length + read) + chunk);
            rest.CopyTo(large);
            next.AsSpan(chunk, read).CopyTo(large.AsSpan(rest.Length));
            _window = large.AsMemory(0, rest.Length + read);
        }

        _start = start;
        if (End < file.Length)
        {
            _ahead = ReadAsync(_current ^ 1, End);
        }
    }

    /// <summary>On a thread of its own, since a file's reads may block.</summary>
    private Task<int> ReadAsync(int buffer, long position)
    {
        var done = new TaskCompletionSource<int>(TaskCreationOptions.RunContinuationsAsynchronously);
        scheduler.Start("journal-read", async () =>
        {
            try
            {
                done.SetResult(await file.ReadAsync(position, _buffers[buffer].AsMemory(chunk, chunk), CancellationToken.None));
            }
            catch (Exception e)
            {
                done.SetException(e);
            }
        });
        return done.Task;
    }

    /// <summary>Lets a read that is still under way end, so that its buffer and file may go.</summary>
    public async ValueTask StopAsync()
    {
        if (_ahead is not null)
        {
            await _ahead;
        }
    }
}
