using System.Buffers.Binary;

namespace OrleansStream.Protocol.Compression;

/// <summary>Decodes compressed blocks (RFC 8878 section 3.1.1.3) and keeps what one block of a frame leaves to the next.</summary>
internal sealed class ZstdBlocks
{
    private static readonly FseTable PredefinedLiteralLengths = FseTable.Of(ZstdFormat.LiteralLengthDistribution, ZstdFormat.LiteralLengthLog);
    private static readonly FseTable PredefinedMatchLengths = FseTable.Of(ZstdFormat.MatchLengthDistribution, ZstdFormat.MatchLengthLog);
    private static readonly FseTable PredefinedOffsets = FseTable.Of(ZstdFormat.OffsetDistribution, ZstdFormat.OffsetLog);

    private readonly byte[] _literals = new byte[ZstdFormat.MaxBlock];
    private readonly HuffmanTable _huffman = new();
    private readonly CodeTable _literalLengths = new(PredefinedLiteralLengths, ZstdFormat.MaxLiteralLengthLog, ZstdFormat.LiteralLengthBase.Length - 1);
    private readonly CodeTable _matchLengths = new(PredefinedMatchLengths, ZstdFormat.MaxMatchLengthLog, ZstdFormat.MatchLengthBase.Length - 1);
    private readonly CodeTable _offsets = new(PredefinedOffsets, ZstdFormat.MaxOffsetLog, ZstdFormat.MaxOffsetCode);
    private int _frameStart;
    private long _first, _second, _third;

    /// <summary>Forgets the frame before. Copies reach back to <paramref name="frameStart"/> in the destination.</summary>
    public void BeginFrame(int frameStart)
    {
        _frameStart = frameStart;
        _huffman.Forget();
        _literalLengths.Forget();
        _matchLengths.Forget();
        _offsets.Forget();
        (_first, _second, _third) = (ZstdFormat.FirstDistances[0], ZstdFormat.FirstDistances[1], ZstdFormat.FirstDistances[2]);
    }

    public void Decode(ReadOnlySpan<byte> block, PooledBuffer destination, int maxOutput)
    {
        ReadOnlySpan<byte> literals = ReadLiterals(ref block, maxOutput);
        int count = ReadSequenceCount(ref block);
        if (count == 0)
        {
            if (!block.IsEmpty)
                throw ZstdFormat.Malformed("bytes behind the last section of a block");
            destination.Write(literals);
            return;
        }
        if (block.IsEmpty)
            throw ZstdFormat.Malformed("a block without its modes");
        int modes = block[0];
        block = block[1..];
        if ((modes & 3) != 0)
            throw ZstdFormat.Malformed("reserved bits are set");
        FseTable literalLengths = _literalLengths.Select(modes >> 6, ref block);
        FseTable offsets = _offsets.Select(modes >> 4 & 3, ref block);
        FseTable matchLengths = _matchLengths.Select(modes >> 2 & 3, ref block);
        Execute(new BackwardBits(block), count, literalLengths, offsets, matchLengths, literals, destination, maxOutput);
    }

    private void Execute(
        BackwardBits bits, int count, FseTable literalLengths, FseTable offsets, FseTable matchLengths, ReadOnlySpan<byte> literals,
        PooledBuffer destination, int maxOutput)
    {
        int end = (int)Math.Min(int.MaxValue, (long)destination.Length + maxOutput);
        int literalState = (int)bits.Read(literalLengths.Log);
        int offsetState = (int)bits.Read(offsets.Log);
        int matchState = (int)bits.Read(matchLengths.Log);

        for (int i = 0; i < count; i++)
        {
            int offsetCode = offsets.Symbol(offsetState);
            int literalCode = literalLengths.Symbol(literalState);
            int matchCode = matchLengths.Symbol(matchState);
            long offsetValue = (1L << offsetCode) + (long)bits.Read(offsetCode);
            int matchLength = ZstdFormat.MatchLengthBase[matchCode] + (int)bits.Read(ZstdFormat.MatchLengthBits[matchCode]);
            int literalLength = ZstdFormat.LiteralLengthBase[literalCode] + (int)bits.Read(ZstdFormat.LiteralLengthBits[literalCode]);
            if (i + 1 < count)
            {
                literalState = literalLengths.Next(literalState, ref bits);
                matchState = matchLengths.Next(matchState, ref bits);
                offsetState = offsets.Next(offsetState, ref bits);
            }
            if (bits.Left < 0)
                throw ZstdFormat.Malformed("sequences that are cut off");

            if (literalLength > literals.Length || literalLength + matchLength > end - destination.Length)
                throw ZstdFormat.Malformed("a sequence that is too long");
            destination.Write(literals[..literalLength]);
            literals = literals[literalLength..];
            long distance = Distance(offsetValue, literalLength == 0);
            if (distance <= 0 || distance > destination.Length - _frameStart)
                throw ZstdFormat.Malformed("a copy from before its beginning");
            destination.Repeat((int)distance, matchLength);
        }
        if (bits.Left != 0)
            throw ZstdFormat.Malformed("sequences with bits left over");
        if (literals.Length > end - destination.Length)
            throw ZstdFormat.Malformed("a block that gives too much");
        destination.Write(literals);
    }

    /// <summary>Values above 3 are distances; 1 to 3 name one of the last three, one further on where no literals came before.</summary>
    private long Distance(long value, bool noLiterals)
    {
        if (value > 3)
        {
            (_first, _second, _third) = (value - 3, _first, _second);
            return _first;
        }
        long which = noLiterals ? value + 1 : value;
        switch (which)
        {
            case 1:
                break;
            case 2:
                (_first, _second) = (_second, _first);
                break;
            case 3:
                (_first, _second, _third) = (_third, _first, _second);
                break;
            default:
                (_first, _second, _third) = (_first - 1, _first, _second);
                break;
        }
        return _first;
    }

    private ReadOnlySpan<byte> ReadLiterals(ref ReadOnlySpan<byte> block, int maxOutput)
    {
        if (block.IsEmpty)
            throw ZstdFormat.Malformed("an empty block");
        int type = block[0] & 3;
        int format = block[0] >> 2 & 3;
        if (type is ZstdFormat.LiteralsRaw or ZstdFormat.LiteralsRle)
        {
            int headSize = format switch { 1 => 2, 3 => 3, _ => 1 };
            int size = (int)(Head(block, headSize) >> (headSize == 1 ? 3 : 4));
            int stored = type == ZstdFormat.LiteralsRle ? 1 : size;
            if (size > maxOutput || stored > block.Length - headSize)
                throw ZstdFormat.Malformed("literals that are too long");
            ReadOnlySpan<byte> raw = block.Slice(headSize, stored);
            block = block[(headSize + stored)..];
            if (type == ZstdFormat.LiteralsRaw)
                return raw;
            _literals.AsSpan(0, size).Fill(raw[0]);
            return _literals.AsSpan(0, size);
        }

        int head = format switch { 2 => 4, 3 => 5, _ => 3 };
        int width = format switch { 2 => 14, 3 => 18, _ => 10 };
        ulong word = Head(block, head) >> 4;
        int regenerated = (int)(word & (1UL << width) - 1);
        int compressed = (int)(word >> width);
        if (regenerated > maxOutput || compressed > block.Length - head)
            throw ZstdFormat.Malformed("literals that are too long");
        ReadOnlySpan<byte> source = block.Slice(head, compressed);
        block = block[(head + compressed)..];
        if (type == ZstdFormat.LiteralsCompressed)
            source = source[_huffman.Read(source)..];
        else if (!_huffman.Filled)
            throw ZstdFormat.Malformed("literals that use a table which nobody gave");
        Span<byte> literals = _literals.AsSpan(0, regenerated);
        if (format == 0)
            _huffman.Decode(source, literals);
        else
            DecodeFourStreams(source, literals);
        return literals;
    }

    private void DecodeFourStreams(ReadOnlySpan<byte> source, Span<byte> literals)
    {
        const int Jumps = 6;
        int part = (literals.Length + 3) / 4;
        if (source.Length < Jumps || 3 * part > literals.Length)
            throw ZstdFormat.Malformed("four streams of literals that are cut off");
        ReadOnlySpan<byte> streams = source[Jumps..];
        for (int i = 0; i < 3; i++)
        {
            int length = BinaryPrimitives.ReadUInt16LittleEndian(source[(2 * i)..]);
            if (length > streams.Length)
                throw ZstdFormat.Malformed("four streams of literals that are cut off");
            _huffman.Decode(streams[..length], literals.Slice(i * part, part));
            streams = streams[length..];
        }
        _huffman.Decode(streams, literals[(3 * part)..]);
    }

    private static int ReadSequenceCount(ref ReadOnlySpan<byte> block)
    {
        if (block.IsEmpty)
            throw ZstdFormat.Malformed("a block without sequences");
        int first = block[0];
        int head = first < 128 ? 1 : first < 255 ? 2 : 3;
        if (head > block.Length)
            throw ZstdFormat.Malformed("a number of sequences that is cut off");
        int count = head switch
        {
            1 => first,
            2 => (first - 128 << 8) + block[1],
            _ => block[1] + (block[2] << 8) + 0x7F00,
        };
        block = block[head..];
        return count;
    }

    private static ulong Head(ReadOnlySpan<byte> block, int size)
    {
        if (size > block.Length)
            throw ZstdFormat.Malformed("literals that are cut off");
        ulong word = 0;
        for (int i = size - 1; i >= 0; i--)
            word = word << 8 | block[i];
        return word;
    }

    /// <summary>One of the three kinds of code, with the table that the block before it used.</summary>
    private sealed class CodeTable(FseTable predefined, int maxLog, int highestSymbol)
    {
        private readonly FseTable _own = new(maxLog);
        private FseTable? _current;

        public void Forget() => _current = null;

        public FseTable Select(int mode, ref ReadOnlySpan<byte> block)
        {
            switch (mode)
            {
                case ZstdFormat.ModePredefined:
                    return _current = predefined;
                case ZstdFormat.ModeRle:
                    if (block.IsEmpty || block[0] > highestSymbol)
                        throw ZstdFormat.Malformed("a code that does not exist");
                    _own.FillSingle(block[0]);
                    block = block[1..];
                    return _current = _own;
                case ZstdFormat.ModeFse:
                    block = block[_own.Read(block, highestSymbol)..];
                    return _current = _own;
                default:
                    return _current ?? throw ZstdFormat.Malformed("a table is repeated which nobody gave");
            }
        }
    }
}
