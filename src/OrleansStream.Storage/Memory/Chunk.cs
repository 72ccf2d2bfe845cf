using System.Buffers;

namespace OrleansStream.Storage.Memory;

/// <summary>
/// One lease of a piece of hot memory, counted by reference. A new object for every lease, so that a reader with a stale reference can never revive
/// memory that belongs to another partition by now.
/// </summary>
public sealed class Chunk
{
    private readonly ChunkPool _pool;
    private IMemoryOwner<byte>? _owner;
    private int _references = 1;

    internal Chunk(ChunkPool pool, IMemoryOwner<byte> owner, int length, int sizeClass)
    {
        _pool = pool;
        _owner = owner;
        SizeClass = sizeClass;
        Memory = owner.Memory[..length];
    }

    /// <summary>Valid while the caller holds a reference.</summary>
    public Memory<byte> Memory { get; }

    public int Length => Memory.Length;

    /// <summary>The pool's size class, or -1 for a chunk of exact size.</summary>
    internal int SizeClass { get; }

    /// <summary>Takes one more reference; the caller holds one already.</summary>
    public void Retain()
    {
        if (Interlocked.Increment(ref _references) <= 1)
            throw new InvalidOperationException("a chunk was retained after its last release");
    }

    /// <summary>Takes a reference unless the last one has gone: for readers, who race with eviction.</summary>
    public bool TryRetain()
    {
        var seen = Volatile.Read(ref _references);
        while (seen > 0)
        {
            var before = Interlocked.CompareExchange(ref _references, seen + 1, seen);
            if (before == seen)
                return true;
            seen = before;
        }
        return false;
    }

    public void Release()
    {
        var left = Interlocked.Decrement(ref _references);
        if (left > 0)
            return;
        if (left < 0)
            throw new InvalidOperationException("a chunk was released more often than retained");
        var owner = Interlocked.Exchange(ref _owner, null) ?? throw new InvalidOperationException("a chunk was given back twice");
        _pool.Return(owner, Length, SizeClass);
    }
}
