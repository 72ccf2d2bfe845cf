using System.Buffers;
using System.Collections.Concurrent;
using Microsoft.AspNetCore.Connections;

namespace OrleansStream.Gateway.Connections;

/// <summary>
/// The memory of the sockets' pipes: pinned blocks of 64 KiB. With Kestrel's own 4 KiB blocks a request of 1 MB is 250 segments, and renting and walking them
/// costs more than receiving the bytes.
/// </summary>
public sealed class BlockMemoryPool : MemoryPool<byte>
{
    /// <summary>The size of every block, in bytes.</summary>
    public const int BlockBytes = 64 * 1024;

    // What stays here when nobody uses it: 32 MiB. More goes back to the collector.
    private const int MaxKept = 512;

    private readonly ConcurrentQueue<Block> _free = new();
    private int _kept;
    private volatile bool _disposed;

    public override int MaxBufferSize => BlockBytes;

    public override IMemoryOwner<byte> Rent(int minBufferSize = -1)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(minBufferSize, BlockBytes);
        if (_free.TryDequeue(out Block? block))
            Interlocked.Decrement(ref _kept);
        else
            block = new Block(this);
        block.Rented();
        return block;
    }

    protected override void Dispose(bool disposing)
    {
        _disposed = true;
        _free.Clear();
    }

    private void Return(Block block)
    {
        if (_disposed)
            return;
        if (Interlocked.Increment(ref _kept) <= MaxKept)
            _free.Enqueue(block);
        else
            Interlocked.Decrement(ref _kept);
    }

    private sealed class Block(BlockMemoryPool pool) : IMemoryOwner<byte>
    {
        private int _rented;

        public Memory<byte> Memory { get; } = GC.AllocateUninitializedArray<byte>(BlockBytes, pinned: true);

        public void Rented() => Volatile.Write(ref _rented, 1);

        public void Dispose()
        {
            if (Interlocked.Exchange(ref _rented, 0) == 1)
                pool.Return(this);
        }
    }
}

/// <summary>Gives all of Kestrel's transports the same <see cref="BlockMemoryPool"/>.</summary>
public sealed class BlockMemoryPoolFactory : IMemoryPoolFactory<byte>, IDisposable
{
    private readonly BlockMemoryPool _pool = new();

    /// <summary>A view of the shared pool: disposing it leaves the pool to the others.</summary>
    public MemoryPool<byte> Create(MemoryPoolOptions? options = null) => new View(_pool);

    public void Dispose() => _pool.Dispose();

    private sealed class View(BlockMemoryPool pool) : MemoryPool<byte>
    {
        public override int MaxBufferSize => BlockMemoryPool.BlockBytes;

        public override IMemoryOwner<byte> Rent(int minBufferSize = -1) => pool.Rent(minBufferSize);

        protected override void Dispose(bool disposing) { }
    }
}
