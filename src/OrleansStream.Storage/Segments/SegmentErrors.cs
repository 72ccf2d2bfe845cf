namespace OrleansStream.Storage.Segments;

/// <summary>A sealed object whose bytes contradict their checksums or the manifest: the sentence names object and position. Never wrong data.</summary>
public sealed class SegmentCorruptException : IOException
{
    public SegmentCorruptException() { }
    public SegmentCorruptException(string message) : base(message) { }
    public SegmentCorruptException(string message, Exception inner) : base(message, inner) { }
}
