using System.Buffers;

namespace OrleansStream.Protocol.Tests.Records;

/// <summary>Makes sequences of many segments from one array, as a socket would deliver it.</summary>
internal static class Sequences
{
    /// <summary>Cuts before each of the given positions, which rise; two equal ones make an empty segment.</summary>
    public static ReadOnlySequence<byte> Split(byte[] data, params int[] cuts)
    {
        Segment? first = null, last = null;
        int start = 0;
        foreach (int end in cuts.Append(data.Length))
        {
            var segment = new Segment(data.AsMemory(start, end - start), last);
            first ??= segment;
            last = segment;
            start = end;
        }
        return new ReadOnlySequence<byte>(first!, 0, last!, last!.Memory.Length);
    }

    /// <summary>Segments of <paramref name="size"/> bytes.</summary>
    public static ReadOnlySequence<byte> Chunked(byte[] data, int size) =>
        Split(data, Enumerable.Range(1, Math.Max(0, (data.Length - 1) / size)).Select(i => i * size).ToArray());

    private sealed class Segment : ReadOnlySequenceSegment<byte>
    {
        public Segment(ReadOnlyMemory<byte> memory, Segment? before)
        {
            Memory = memory;
            if (before is null)
                return;
            before.Next = this;
            RunningIndex = before.RunningIndex + before.Memory.Length;
        }
    }
}
