namespace OrleansStream.Protocol.Compression;

/// <summary>Huffman code lengths from counts, none longer than zstd allows.</summary>
internal static class HuffmanLengths
{
    /// <summary>Sets the length for every symbol that occurs, 0 for the others, and returns the longest. At least two symbols have to occur.</summary>
    public static int Assign(Span<int> counts, Span<byte> lengths)
    {
        while (true)
        {
            int longest = Build(counts, lengths);
            if (longest <= ZstdFormat.MaxHuffmanBits)
                return longest;

            // Flatter counts give shorter codes; halving ends, at the latest, where all are 1.
            for (int i = 0; i < counts.Length; i++)
                counts[i] = (counts[i] + 1) / 2;
        }
    }

    private static int Build(ReadOnlySpan<int> counts, Span<byte> lengths)
    {
        Span<int> parents = stackalloc int[2 * counts.Length];
        var smallest = new PriorityQueue<int, (int Count, int Node)>(counts.Length);
        for (int symbol = 0; symbol < counts.Length; symbol++)
            if (counts[symbol] > 0)
                smallest.Enqueue(symbol, (counts[symbol], symbol));
        int node = counts.Length;
        while (smallest.TryDequeue(out int left, out var leftKey))
        {
            if (!smallest.TryDequeue(out int right, out var rightKey))
                break;
            parents[left] = parents[right] = node;
            smallest.Enqueue(node, (leftKey.Count + rightKey.Count, node));
            node++;
        }

        int root = node - 1, longest = 0;
        for (int symbol = 0; symbol < counts.Length; symbol++)
        {
            int depth = 0;
            if (counts[symbol] > 0)
                for (int at = symbol; at != root; at = parents[at])
                    depth++;
            lengths[symbol] = (byte)depth;
            longest = Math.Max(longest, depth);
        }
        return longest;
    }
}
