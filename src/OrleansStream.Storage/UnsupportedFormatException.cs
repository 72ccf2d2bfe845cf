namespace OrleansStream.Storage;

/// <summary>Something stored was written by a newer version of this program: the sentence names it, its version, and the newest one known here.</summary>
public sealed class UnsupportedFormatException : IOException
{
    public UnsupportedFormatException() { }
    public UnsupportedFormatException(string message) : base(message) { }
    public UnsupportedFormatException(string message, Exception inner) : base(message, inner) { }
}
