using System.Buffers;
using System.Diagnostics.CodeAnalysis;
using System.Numerics;
using OrleansStream.Storage.Ports;

namespace OrleansStream.Storage.Segments;

/// <summary>
/// The read cache's buffers, in power-of-two sizes from 64 KiB on. Freed ones are kept for reuse, since touching fresh pages costs more than
/// filling them. Guarded by the cache's lock.
/// </summary>
internal sealed class CacheBuffers(IChunkSource chunks, long capacityBytes)
{
    private const int SmallestBytes = 64 << 10;

    /// <summary>A free buffer of up to so many times the size serves too.</summary>
    private const int LargestForSmaller = 4;

    private readonly Dictionary<int, Stack<IMemoryOwner<byte>>> _free = [];

    /// <summary>Bytes taken from the operating system, in use or free.</summary>
    public long HeldBytes { get; private set; }

    public long FreeBytes { get; private set; }

    public static int SizeFor(int length) => (int)BitOperations.RoundUpToPowerOf2((uint)Math.Max(length, SmallestBytes));

    /// <summary>A buffer that was in use before, or null. A larger one serves, too, as sequential readers begin small and grow.</summary>
    public IMemoryOwner<byte>? TryRentTouched(int length)
    {
        var size = SizeFor(length);
        for (var larger = size; larger <= LargestForSmaller * size; larger *= 2)
        {
            if (TryPop(larger, out var buffer))
                return buffer;
        }
        return null;
    }

    /// <summary>A buffer within the capacity, or null: then the caller evicts and asks again.</summary>
    public IMemoryOwner<byte>? TryRent(int length)
    {
        var size = SizeFor(length);
        if (TryRentTouched(length) is { } touched)
            return touched;
        while (HeldBytes + size > capacityBytes && DropOneFree()) { }
        return HeldBytes + size <= capacityBytes ? RentBeyond(length) : null;
    }

    /// <summary>A buffer even above the capacity, for a reader that must make progress while all else is pinned.</summary>
    public IMemoryOwner<byte> RentBeyond(int length)
    {
        var size = SizeFor(length);
        var buffer = chunks.Allocate(size);
        HeldBytes += size;
        return buffer;
    }

    public void Return(IMemoryOwner<byte> buffer)
    {
        var size = buffer.Memory.Length;
        if (HeldBytes > capacityBytes)
        {
            HeldBytes -= size;
            buffer.Dispose();
            return;
        }
        if (!_free.TryGetValue(size, out var stack))
            _free[size] = stack = new Stack<IMemoryOwner<byte>>();
        stack.Push(buffer);
        FreeBytes += size;
    }

    /// <summary>Gives every unused buffer back to the operating system.</summary>
    public void DropFree()
    {
        while (DropOneFree()) { }
    }

    private bool TryPop(int size, [NotNullWhen(true)] out IMemoryOwner<byte>? buffer)
    {
        buffer = null;
        if (!_free.TryGetValue(size, out var stack) || !stack.TryPop(out buffer))
            return false;
        FreeBytes -= size;
        return true;
    }

    private bool DropOneFree()
    {
        foreach (var size in _free.Keys)
        {
            if (!TryPop(size, out var buffer))
                continue;
            HeldBytes -= size;
            buffer.Dispose();
            return true;
        }
        return false;
    }
}
