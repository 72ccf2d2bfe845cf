using System.Buffers;

namespace OrleansStream.Protocol.Tests.Wire;

/// <summary>Bytes cut into many segments, as a pipe may hand them over, with an empty one now and then.</summary>
internal sealed class Segments : ReadOnlySequenceSegment<byte>
{
    private Segments(ReadOnlyMemory<byte> memory, long start)
    {
        Memory = memory;
        RunningIndex = start;
    }

    public static ReadOnlySequence<byte> Of(byte[] bytes, int size)
    {
        var first = new Segments(ReadOnlyMemory<byte>.Empty, 0);
        Segments last = first;
        for (int at = 0; at < bytes.Length; at += size)
        {
            last = last.Append(bytes.AsMemory(at, Math.Min(size, bytes.Length - at)));
            if (at % 3 == 0)
                last = last.Append(ReadOnlyMemory<byte>.Empty);
        }
        return new ReadOnlySequence<byte>(first, 0, last, last.Memory.Length);
    }

    private Segments Append(ReadOnlyMemory<byte> memory)
    {
        var next = new Segments(memory, RunningIndex + Memory.Length);
        Next = next;
        return next;
    }
}
