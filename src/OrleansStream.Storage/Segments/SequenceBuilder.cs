using System.Buffers;

namespace OrleansStream.Storage.Segments;

/// <summary>Strings memories together to one sequence without copying them.</summary>
internal sealed class SequenceBuilder
{
    private Link? _first;
    private Link? _last;

    public long Length { get; private set; }

    public void Add(ReadOnlyMemory<byte> memory)
    {
        if (memory.IsEmpty)
            return;
        var link = new Link(memory, Length);
        _last?.Append(link);
        _last = link;
        _first ??= link;
        Length += memory.Length;
    }

    public void Add(ReadOnlySequence<byte> sequence)
    {
        foreach (var memory in sequence)
            Add(memory);
    }

    public ReadOnlySequence<byte> Build() =>
        _first is null ? default : new ReadOnlySequence<byte>(_first, 0, _last!, _last!.Memory.Length);

    private sealed class Link : ReadOnlySequenceSegment<byte>
    {
        public Link(ReadOnlyMemory<byte> memory, long runningIndex)
        {
            Memory = memory;
            RunningIndex = runningIndex;
        }

        public void Append(Link next) => Next = next;
    }
}
