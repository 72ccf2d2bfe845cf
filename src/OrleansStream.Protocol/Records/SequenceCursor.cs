using System.Buffers;

namespace OrleansStream.Protocol.Records;

/// <summary>Walks a sequence forward, over the seams between its segments, without copying or allocating.</summary>
internal ref struct SequenceCursor
{
    private readonly ReadOnlySequence<byte> _sequence;
    private SequencePosition _next;
    private ReadOnlySpan<byte> _span;
    private int _at;
    private long _before;

    public SequenceCursor(in ReadOnlySequence<byte> sequence)
    {
        _sequence = sequence;
        _next = sequence.Start;
        Length = sequence.Length;
        Advance();
    }

    public long Length { get; }

    /// <summary>Bytes walked over.</summary>
    public readonly long Consumed => _before + _at;
    public readonly long Remaining => Length - Consumed;

    public bool TrySkip(long count)
    {
        if ((ulong)count > (ulong)Remaining)
            return false;
        while (count > _span.Length - _at)
        {
            count -= _span.Length - _at;
            Advance();
        }
        _at += (int)count;
        return true;
    }

    public bool TryReadByte(out byte value)
    {
        while (_at == _span.Length)
        {
            if (Remaining == 0)
            {
                value = 0;
                return false;
            }
            Advance();
        }
        value = _span[_at++];
        return true;
    }

    public bool TryReadVarint(out int value)
    {
        if (_span.Length - _at >= Varint.MaxIntBytes)
            return Varint.TryRead(_span, ref _at, out value);
        Span<byte> copy = stackalloc byte[Varint.MaxIntBytes];
        int at = 0;
        return Varint.TryRead(PeekInto(copy), ref at, out value) && TrySkip(at);
    }

    public bool TryReadVarlong(out long value)
    {
        if (_span.Length - _at >= Varint.MaxLongBytes)
            return Varint.TryRead(_span, ref _at, out value);
        Span<byte> copy = stackalloc byte[Varint.MaxLongBytes];
        int at = 0;
        return Varint.TryRead(PeekInto(copy), ref at, out value) && TrySkip(at);
    }

    /// <summary>The next bytes, joined from as many segments as it takes; fewer at the end.</summary>
    private readonly ReadOnlySpan<byte> PeekInto(Span<byte> destination)
    {
        SequenceCursor ahead = this;
        int count = 0;
        while (count < destination.Length && ahead.TryReadByte(out byte b))
            destination[count++] = b;
        return destination[..count];
    }

    private void Advance()
    {
        _before += _span.Length;
        _at = 0;
        _span = _sequence.TryGet(ref _next, out ReadOnlyMemory<byte> memory) ? memory.Span : default;
    }
}
