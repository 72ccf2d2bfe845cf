namespace OrleansStream.Protocol.Compression;

/// <summary>
/// The way back through an <see cref="FseTable"/>: which state, of those that name a symbol, leads to the state that comes after it. There is
/// exactly one for every pair.
/// </summary>
internal sealed class FseEncoding
{
    private readonly FseTable _table;
    private readonly byte[] _before;

    public FseEncoding(ReadOnlySpan<short> distribution, int log)
    {
        _table = FseTable.Of(distribution, log);
        _before = new byte[distribution.Length << log];
        for (int state = 0; state < 1 << log; state++)
            _before.AsSpan((_table.Symbol(state) << log) + _table.Base(state), 1 << _table.Bits(state)).Fill((byte)state);
    }

    public int Log => _table.Log;

    /// <summary>A state for the symbol that is read last: any will do.</summary>
    public int LastState(int symbol) => _before[symbol << Log];

    /// <summary>The state for <paramref name="symbol"/> before <paramref name="next"/>; writes the bits that lead there.</summary>
    public int Encode(int symbol, int next, ref ZstdBitWriter bits)
    {
        int state = _before[(symbol << Log) + next];
        bits.Write((uint)(next - _table.Base(state)), _table.Bits(state));
        return state;
    }
}
