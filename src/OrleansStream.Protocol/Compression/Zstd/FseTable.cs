using System.Numerics;

namespace OrleansStream.Protocol.Compression;

/// <summary>
/// A finite state entropy table (RFC 8878 section 4.1): each state names a symbol, and how many bits lead from where to the next state.
/// </summary>
internal sealed class FseTable(int maxLog)
{
    private const int MaxSymbols = 256;
    private readonly byte[] _symbols = new byte[1 << maxLog];
    private readonly byte[] _bits = new byte[1 << maxLog];
    private readonly ushort[] _bases = new ushort[1 << maxLog];

    /// <summary>The table has 2^Log states.</summary>
    public int Log { get; private set; }

    public byte Symbol(int state) => _symbols[state];
    public int Bits(int state) => _bits[state];
    public int Base(int state) => _bases[state];
    public int Next(int state, ref BackwardBits bits) => _bases[state] + (int)bits.Read(_bits[state]);

    public static FseTable Of(ReadOnlySpan<short> distribution, int log)
    {
        var table = new FseTable(log);
        table.Fill(distribution, log);
        return table;
    }

    /// <summary>A table of one state, which gives the same symbol for ever.</summary>
    public void FillSingle(byte symbol)
    {
        Log = 0;
        _symbols[0] = symbol;
        _bits[0] = 0;
        _bases[0] = 0;
    }

    /// <summary>Fills the table from normalized counts that add up to 2^log, -1 counting as one.</summary>
    public void Fill(ReadOnlySpan<short> distribution, int log)
    {
        int size = 1 << log;
        int high = size - 1;
        Span<ushort> next = stackalloc ushort[MaxSymbols];
        for (int s = 0; s < distribution.Length; s++)
        {
            next[s] = distribution[s] == -1 ? (ushort)1 : (ushort)distribution[s];
            if (distribution[s] == -1)
                _symbols[high--] = (byte)s;
        }

        int step = (size >> 1) + (size >> 3) + 3;
        int at = 0;
        for (int s = 0; s < distribution.Length; s++)
            for (int i = 0; i < distribution[s]; i++)
            {
                _symbols[at] = (byte)s;
                do
                    at = at + step & size - 1;
                while (at > high);
            }

        for (int i = 0; i < size; i++)
        {
            int x = next[_symbols[i]]++;
            int bits = log - BitOperations.Log2((uint)x);
            _bits[i] = (byte)bits;
            _bases[i] = (ushort)((x << bits) - size);
        }
        Log = log;
    }

    /// <summary>Reads a table's description at the start of <paramref name="source"/> and returns how many bytes it took.</summary>
    public int Read(ReadOnlySpan<byte> source, int highestSymbol)
    {
        Span<short> distribution = stackalloc short[MaxSymbols];
        var bits = new ForwardBits(source);
        int log = (int)bits.Read(4) + 5;
        if (log > maxLog)
            throw ZstdFormat.Malformed("an entropy table that is too large");

        // `left` is one more than what is still to be given away, as in the format's own arithmetic.
        int left = (1 << log) + 1;
        int symbol = 0;
        while (left > 1)
        {
            if (symbol > highestSymbol || bits.Overrun)
                throw ZstdFormat.Malformed("an entropy table of too many symbols");
            int width = BitOperations.Log2((uint)left) + 1;
            int threshold = 1 << (width - 1);
            int spare = 2 * threshold - 1 - left;
            int value = (int)bits.Peek(width);
            if ((value & threshold - 1) < spare)
            {
                value &= threshold - 1;
                bits.Skip(width - 1);
            }
            else
            {
                if (value >= threshold)
                    value -= spare;
                bits.Skip(width);
            }
            int count = value - 1;
            left -= Math.Abs(count);
            distribution[symbol++] = (short)count;
            if (count != 0)
                continue;
            int zeros;
            do
            {
                zeros = (int)bits.Read(2);
                symbol += zeros;
                if (symbol > highestSymbol + 1 || bits.Overrun)
                    throw ZstdFormat.Malformed("an entropy table of too many symbols");
            }
            while (zeros == 3);
        }
        if (left != 1 || bits.Overrun)
            throw ZstdFormat.Malformed("an entropy table that does not add up");
        Fill(distribution[..symbol], log);
        return bits.BytesUsed;
    }

    /// <summary>Bits from the first byte's lowest on.</summary>
    private ref struct ForwardBits(ReadOnlySpan<byte> data)
    {
        private readonly ReadOnlySpan<byte> _data = data;
        private int _at;

        public readonly bool Overrun => _at > 8 * _data.Length;
        public readonly int BytesUsed => (_at + 7) / 8;

        public readonly uint Peek(int count)
        {
            uint value = 0;
            for (int i = 0; i < 4; i++)
                if ((_at >> 3) + i < _data.Length)
                    value |= (uint)_data[(_at >> 3) + i] << (8 * i);
            return value >> (_at & 7) & (1u << count) - 1;
        }

        public void Skip(int count) => _at += count;

        public uint Read(int count)
        {
            uint value = Peek(count);
            _at += count;
            return value;
        }
    }
}
