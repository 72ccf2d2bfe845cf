using System.Buffers;

namespace OrleansStream.Storage.Segments;

/// <summary>
/// A range of one sealed object in the read cache, loaded by one get. Begins and (but for the object's end) ends on a block boundary. Fields are
/// guarded by the cache's lock, the bytes by pins: they do not move or change while a pin is held.
/// </summary>
internal sealed class Extent(string name, long start, int length, IMemoryOwner<byte> buffer)
{
    private readonly TaskCompletionSource _loaded = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public string Name { get; } = name;
    public long Start { get; } = start;
    public long End => Start + length;
    public int Length => length;
    public IMemoryOwner<byte> Buffer { get; } = buffer;

    /// <summary>Holders of the bytes; the load is one of them while it lasts.</summary>
    public int Pins { get; set; } = 1;

    /// <summary>Found by its blocks. False once evicted or failed; then the buffer goes back with the last pin.</summary>
    public bool Resident { get; set; } = true;

    /// <summary>Read ahead, and no reader has passed it yet.</summary>
    public bool IsAhead { get; set; }

    /// <summary>The cache's tick of the last use, for giving back what is idle.</summary>
    public long LastUsed { get; set; }

    public LinkedListNode<Extent>? Node { get; set; }

    /// <summary>What of the bytes has met its chunk checksums: one interval, which a sequential reader extends.</summary>
    public (long From, long To) Checked { get; private set; }

    public Task Loaded => _loaded.Task;

    public ReadOnlyMemory<byte> Slice(long from, long to) => Buffer.Memory.Slice((int)(from - Start), (int)(to - from));

    public void Complete() => _loaded.SetResult();

    public void Fail(Exception error)
    {
        _loaded.SetException(error);
        // A failed read-ahead has nobody to tell; the next reader tries again and hears of it.
        _ = _loaded.Task.Exception;
    }

    public bool IsChecked(long from, long to) => Checked.From <= Math.Max(from, Start) && Math.Min(to, End) <= Checked.To;

    public void MarkChecked(long from, long to)
    {
        from = Math.Max(from, Start);
        to = Math.Min(to, End);
        Checked = from <= Checked.To && Checked.From <= to
            ? (Math.Min(from, Checked.From), Math.Max(to, Checked.To))
            : (from, to);
    }
}
