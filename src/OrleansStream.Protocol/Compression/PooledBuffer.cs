using System.Buffers;
using OrleansStream.Protocol.Records;

namespace OrleansStream.Protocol.Compression;

/// <summary>
/// Contiguous bytes that grow up to a limit, in arrays of the shared pool. A decompressor finds all that it has written before in front of it, so
/// none needs a window of its own. Writing beyond the limit throws <see cref="CorruptRecordsException"/>. Disposing gives the array back.
/// </summary>
public sealed class PooledBuffer : IBufferWriter<byte>, IDisposable
{
    private const int FirstCapacity = 4096;
    private readonly int _limit;
    private byte[] _array;

    /// <param name="limit">Most bytes that it may ever hold.</param>
    /// <param name="expected">A guess at how many it will hold; no more than a hint, since it often comes from the input.</param>
    public PooledBuffer(int limit, long expected = FirstCapacity)
    {
        _limit = limit;
        _array = ArrayPool<byte>.Shared.Rent((int)Math.Clamp(expected, 16, Math.Max(16, Math.Min(limit, 1 << 20))));
    }

    public int Length { get; private set; }
    public int Limit => _limit;
    public ReadOnlySpan<byte> WrittenSpan => _array.AsSpan(0, Length);
    public ReadOnlyMemory<byte> WrittenMemory => _array.AsMemory(0, Length);

    /// <summary>All that is written, for a caller that patches it.</summary>
    public Span<byte> Written => _array.AsSpan(0, Length);

    /// <summary>Makes room for <paramref name="count"/> bytes more and returns exactly so many; they count once they are advanced over.</summary>
    public Span<byte> Reserve(int count)
    {
        if ((uint)count > (uint)(_limit - Length))
            throw new CorruptRecordsException($"More than the {_limit} bytes that are allowed.") { TooLarge = true };
        if (count > _array.Length - Length)
            Grow(Length + count);
        return _array.AsSpan(Length, count);
    }

    public void Advance(int count)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan((uint)count, (uint)(_array.Length - Length));
        Length += count;
    }

    public void Write(ReadOnlySpan<byte> bytes)
    {
        bytes.CopyTo(Reserve(bytes.Length));
        Length += bytes.Length;
    }

    public void WriteByte(byte value)
    {
        Reserve(1)[0] = value;
        Length++;
    }

    /// <summary>
    /// Repeats <paramref name="count"/> bytes from <paramref name="distance"/> bytes back. They may overlap what they produce, as in every LZ77
    /// format. The caller has checked that the distance is positive and lies within what is written.
    /// </summary>
    public void Repeat(int distance, int count)
    {
        Span<byte> to = Reserve(count);
        int from = Length - distance;
        if (distance >= count)
        {
            _array.AsSpan(from, count).CopyTo(to);
        }
        else
        {
            // Every round doubles what can be copied at once.
            int done = 0;
            while (done < count)
            {
                int step = Math.Min(count - done, distance + done);
                _array.AsSpan(from, step).CopyTo(to[done..]);
                done += step;
            }
        }
        Length += count;
    }

    /// <summary>Forgets what is written behind <paramref name="length"/> and keeps the memory.</summary>
    public void Truncate(int length)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan((uint)length, (uint)Length);
        Length = length;
    }

    public Memory<byte> GetMemory(int sizeHint = 0)
    {
        Reserve(Math.Max(sizeHint, 1));
        return _array.AsMemory(Length, Math.Min(_array.Length, _limit) - Length);
    }

    public Span<byte> GetSpan(int sizeHint = 0) => GetMemory(sizeHint).Span;

    public void Dispose()
    {
        byte[] array = _array;
        _array = [];
        Length = 0;
        if (array.Length > 0)
            ArrayPool<byte>.Shared.Return(array);
    }

    private void Grow(int needed)
    {
        ObjectDisposedException.ThrowIf(_array.Length == 0, this);
        byte[] larger = ArrayPool<byte>.Shared.Rent((int)Math.Max(needed, Math.Min(_array.Length * 2L, _limit)));
        _array.AsSpan(0, Length).CopyTo(larger);
        ArrayPool<byte>.Shared.Return(_array);
        _array = larger;
    }
}
