using System.Numerics;

namespace OrleansStream.Protocol.Compression;

/// <summary>Writes the sequences section of a block with the predefined tables: literals to copy, then a match.</summary>
internal static class ZstdSequences
{
    private static readonly FseEncoding LiteralLengths = new(ZstdFormat.LiteralLengthDistribution, ZstdFormat.LiteralLengthLog);
    private static readonly FseEncoding MatchLengths = new(ZstdFormat.MatchLengthDistribution, ZstdFormat.MatchLengthLog);
    private static readonly FseEncoding Offsets = new(ZstdFormat.OffsetDistribution, ZstdFormat.OffsetLog);

    /// <summary>Offset values as the format has them: 1 for the distance before, others three more than the distance.</summary>
    public readonly record struct Sequence(int LiteralLength, int OffsetValue, int MatchLength);

    public static void Write(ReadOnlySpan<Sequence> sequences, PooledBuffer destination)
    {
        WriteCount(sequences.Length, destination);
        if (sequences.IsEmpty)
            return;
        destination.WriteByte(ZstdFormat.ModePredefined);

        // The reader starts at the end, so the last sequence is written first, and its parts in the opposite order.
        var bits = new ZstdBitWriter(destination);
        int literalState = 0, matchState = 0, offsetState = 0;
        for (int i = sequences.Length - 1; i >= 0; i--)
        {
            Sequence sequence = sequences[i];
            int literalCode = Code(ZstdFormat.LiteralLengthBase, sequence.LiteralLength);
            int matchCode = Code(ZstdFormat.MatchLengthBase, sequence.MatchLength);
            int offsetCode = BitOperations.Log2((uint)sequence.OffsetValue);
            if (i == sequences.Length - 1)
            {
                literalState = LiteralLengths.LastState(literalCode);
                matchState = MatchLengths.LastState(matchCode);
                offsetState = Offsets.LastState(offsetCode);
            }
            else
            {
                offsetState = Offsets.Encode(offsetCode, offsetState, ref bits);
                matchState = MatchLengths.Encode(matchCode, matchState, ref bits);
                literalState = LiteralLengths.Encode(literalCode, literalState, ref bits);
            }
            bits.Write((uint)(sequence.LiteralLength - ZstdFormat.LiteralLengthBase[literalCode]), ZstdFormat.LiteralLengthBits[literalCode]);
            bits.Write((uint)(sequence.MatchLength - ZstdFormat.MatchLengthBase[matchCode]), ZstdFormat.MatchLengthBits[matchCode]);
            bits.Write((uint)sequence.OffsetValue - (1u << offsetCode), offsetCode);
        }
        bits.Write((uint)matchState, MatchLengths.Log);
        bits.Write((uint)offsetState, Offsets.Log);
        bits.Write((uint)literalState, LiteralLengths.Log);
        bits.Finish();
    }

    private static void WriteCount(int count, PooledBuffer destination)
    {
        if (count < 128)
        {
            destination.WriteByte((byte)count);
        }
        else if (count < 0x7F00)
        {
            destination.WriteByte((byte)((count >> 8) + 128));
            destination.WriteByte((byte)count);
        }
        else
        {
            destination.WriteByte(255);
            destination.WriteByte((byte)(count - 0x7F00));
            destination.WriteByte((byte)(count - 0x7F00 >> 8));
        }
    }

    /// <summary>The last code whose base is not above the value.</summary>
    private static int Code(ReadOnlySpan<int> bases, int value)
    {
        int index = bases.BinarySearch(value);
        return index >= 0 ? index : ~index - 1;
    }
}
