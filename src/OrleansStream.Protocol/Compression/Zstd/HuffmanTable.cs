using System.Numerics;

namespace OrleansStream.Protocol.Compression;

/// <summary>A Huffman code for literals (RFC 8878 section 4.2): the next 11 bits or fewer name a symbol and its length.</summary>
internal sealed class HuffmanTable
{
    private const int MaxWeightLog = 6;
    private readonly byte[] _symbols = new byte[1 << ZstdFormat.MaxHuffmanBits];
    private readonly byte[] _bits = new byte[1 << ZstdFormat.MaxHuffmanBits];
    private readonly FseTable _weightTable = new(MaxWeightLog);
    private int _maxBits;

    /// <summary>Whether it has been filled, so that a later block may use it again.</summary>
    public bool Filled { get; private set; }

    public void Forget() => Filled = false;

    /// <summary>Reads a table's description at the start of <paramref name="source"/> and returns how many bytes it took.</summary>
    public int Read(ReadOnlySpan<byte> source)
    {
        if (source.IsEmpty)
            throw ZstdFormat.Malformed("a Huffman table that is cut off");
        Span<byte> weights = stackalloc byte[ZstdFormat.MaxHuffmanSymbols];
        int head = source[0];
        int count, used;
        if (head >= 128)
        {
            count = head - 127;
            used = 1 + (count + 1) / 2;
            if (used > source.Length)
                throw ZstdFormat.Malformed("a Huffman table that is cut off");
            for (int i = 0; i < count; i++)
                weights[i] = (byte)(source[1 + i / 2] >> (i % 2 == 0 ? 4 : 0) & 15);
        }
        else
        {
            used = 1 + head;
            if (used > source.Length)
                throw ZstdFormat.Malformed("a Huffman table that is cut off");
            count = ReadCompressedWeights(source[1..used], weights);
        }
        Fill(weights, count);
        return used;
    }

    /// <summary>Decodes one stream of literals, which has to be used up exactly.</summary>
    public void Decode(ReadOnlySpan<byte> stream, Span<byte> destination)
    {
        var bits = new BackwardBits(stream);
        ReadOnlySpan<byte> symbols = _symbols, lengths = _bits;
        int maxBits = _maxBits;
        for (int i = 0; i < destination.Length; i++)
        {
            int index = (int)bits.Peek(maxBits);
            destination[i] = symbols[index];
            bits.Skip(lengths[index]);
            if (bits.Left < 0)
                throw ZstdFormat.Malformed("a stream of literals that is cut off");
        }
        if (bits.Left != 0)
            throw ZstdFormat.Malformed("a stream of literals with bits left over");
    }

    private int ReadCompressedWeights(ReadOnlySpan<byte> source, Span<byte> weights)
    {
        int used = _weightTable.Read(source, 255);
        var bits = new BackwardBits(source[used..]);
        int first = (int)bits.Read(_weightTable.Log);
        int second = (int)bits.Read(_weightTable.Log);
        if (bits.Left < 0)
            throw ZstdFormat.Malformed("Huffman weights that are cut off");

        // Two states take turns until one cannot be led on; what the other still holds is the last weight.
        int count = 0;
        while (true)
        {
            Add(weights, ref count, _weightTable.Symbol(first));
            first = _weightTable.Next(first, ref bits);
            if (bits.Left < 0)
            {
                Add(weights, ref count, _weightTable.Symbol(second));
                return count;
            }
            (first, second) = (second, first);
        }
    }

    private static void Add(Span<byte> weights, ref int count, byte weight)
    {
        // The last symbol's weight is never written.
        if (count == ZstdFormat.MaxHuffmanSymbols - 1)
            throw ZstdFormat.Malformed("too many Huffman weights");
        weights[count++] = weight;
    }

    /// <summary>A symbol of weight w above 0 owns 2^(w-1) entries; the last symbol's weight is what makes the sum a power of two.</summary>
    private void Fill(Span<byte> weights, int count)
    {
        int sum = 0;
        for (int i = 0; i < count; i++)
        {
            if (weights[i] > ZstdFormat.MaxHuffmanBits)
                throw ZstdFormat.Malformed("a Huffman weight that is too large");
            sum += 1 << weights[i] >> 1;
        }
        if (sum == 0)
            throw ZstdFormat.Malformed("Huffman weights that are all zero");
        int maxBits = BitOperations.Log2((uint)sum) + 1;
        int left = (1 << maxBits) - sum;
        if (maxBits > ZstdFormat.MaxHuffmanBits || !BitOperations.IsPow2(left))
            throw ZstdFormat.Malformed("Huffman weights that do not add up");
        weights[count++] = (byte)(BitOperations.Log2((uint)left) + 1);

        int at = 0;
        for (int weight = 1; weight <= maxBits; weight++)
            for (int symbol = 0; symbol < count; symbol++)
            {
                if (weights[symbol] != weight)
                    continue;
                int entries = 1 << weight >> 1;
                _symbols.AsSpan(at, entries).Fill((byte)symbol);
                _bits.AsSpan(at, entries).Fill((byte)(maxBits + 1 - weight));
                at += entries;
            }
        _maxBits = maxBits;
        Filled = true;
    }
}
