namespace OrleansStream.Protocol.Compression;

/// <summary>Writes a bit stream that <see cref="BackwardBits"/> reads: what is written last is read first.</summary>
internal ref struct ZstdBitWriter(PooledBuffer destination)
{
    private readonly PooledBuffer _destination = destination;
    private ulong _word;
    private int _count;

    /// <summary>Appends the lowest <paramref name="count"/> bits of <paramref name="value"/>, at most 32; the others have to be zero.</summary>
    public void Write(uint value, int count)
    {
        _word |= (ulong)value << _count;
        _count += count;
        while (_count >= 8)
        {
            _destination.WriteByte((byte)_word);
            _word >>= 8;
            _count -= 8;
        }
    }

    /// <summary>Sets the end mark.</summary>
    public void Finish()
    {
        Write(1, 1);
        if (_count > 0)
            _destination.WriteByte((byte)_word);
    }
}
